"""Atomic file writes: a file is complete or absent, however the process that writes it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ls3_common.errors import DataError
from ls3_common.system_errors import refuse_pointer, unreadable

LEFTOVER_AGE_S = 24 * 3600.0
"""Age from which a temporary file of another computer, boot or container is taken for a leftover.
Whether its writer still runs cannot be seen from here."""
_numbers = itertools.count()


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Keep other processes that ask for the same lock waiting while the block runs.

    The lock is the system's on the directory of `path`: no file is left, however the block ends.
    """
    directory = Path(os.path.realpath(path)).parent
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give the caller a temporary path to write, which then replaces `path` in one step.

    The temporary file lies beside `path` and has its suffix, by which libraries choose a format.
    When the block ends, the file is synced to the disk and renamed to `path`, and the directory is
    synced. A reader finds the old file or the new one, also after a power failure. After an
    exception the old file is still there. If the process is killed, the next write to the same
    path deletes the temporary file. A symbolic link stays a link, and the permissions of an old
    file are kept. A device or a pipe is written directly.

    The caller may also make a directory, if no directory or an empty one is at `path`.

    Raises:
        OSError: the file cannot be written; the old one is still there. The error names the file.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() or target.is_dir()):
        yield target
        return
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(target)
        mark = f"{os.getpid()}-{next(_numbers)}.{_process_space()}"
        part = target.with_name(f".{target.stem}.{mark}.part{target.suffix}")
        with _replaced(target, part):
            yield part


def refuse_unwritable(path: str | Path) -> None:
    """Refuse a file that could not be written in the end, before the work for it begins.

    Missing folders are made.

    Raises:
        OSError: the system does not let a file be made there; the error names `path`.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.exists() and not target.is_file():
        return  # a device or a pipe
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        error.filename = str(target)  # it names a file that nobody asked for
        raise


@contextmanager
def _replaced(target: Path, part: Path) -> Iterator[None]:
    try:
        yield
        # there may be no old file, and some file systems have no permissions
        with contextlib.suppress(FileNotFoundError, PermissionError):
            part.chmod(target.stat().st_mode)
        for directory, _, names in os.walk(part):
            for name in (*names, "."):
                _sync(Path(directory) / name)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    finally:
        _delete(part)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name the file at `path` in errors of the system that name none, as those of a write do.

    A temporary file of `replacing` is replaced by the file that a person knows.
    """
    try:
        yield
    except OSError as error:
        of_part = str(error.filename).endswith(f".part{Path(path).suffix}")
        if error.errno is not None and (error.filename is None or of_part):
            error.filename = os.fspath(path)
        raise


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a file atomically, see `replacing`."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Replace a text file (UTF-8) atomically, see `replacing`."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, document: Any) -> None:
    """Replace a JSON file atomically. Each entry stands on a line, and so does a list of numbers.

    Raises:
        TypeError: JSON cannot hold `document`.
    """
    text = json.dumps(document, indent=1)
    texts_and_numbers = r'"(?:[^"\\]|\\.)*"|\[[^\[\]{}"]*\]'
    text = re.sub(
        texts_and_numbers, lambda m: m[0] if m[0][0] == '"' else " ".join(m[0].split()), text
    )
    write_text(path, text + "\n")


def write_rows(path: str | Path, rows: Iterable[Any]) -> None:
    """Replace a file of JSON lines atomically."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_bytes(path: str | Path) -> bytes:
    """Read the content of a file.

    Raises:
        DataError: the file cannot be opened or read. The text gives the system's reason, and does
            not call a file damaged whose content was never seen. Or the file only points to its
            content.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    refuse_pointer(content, path)
    return content


def read_json(path: str | Path, *, do: str = "delete it") -> dict[str, Any]:
    """Read a JSON object; `do` is what a user can do about a damaged file.

    Raises:
        DataError: the file cannot be read or holds no JSON object; the text names the file.
    """
    document = _parsed(path, do)
    if not isinstance(document, dict):
        raise DataError("not a JSON object", where=str(path), do=do)
    return document


def read_list(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON list of objects.

    Raises:
        DataError: the file cannot be read or holds no such list; the text names the file.
    """
    document = _parsed(path, "delete it")
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise DataError("not a JSON list of objects", where=str(path), do="delete it")
    return document


def read_rows(path: str | Path, *, do: str) -> list[dict[str, Any]]:
    """Read JSON lines, an object each; `do` is what a user can do about a damaged file.

    Raises:
        DataError: the file cannot be read, or a line is damaged; the text names file and line.
    """
    rows = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            rows.append(json.loads(line))
            if not isinstance(rows[-1], dict):
                raise ValueError("not a JSON object")
        except (ValueError, RecursionError) as error:
            what = f"damaged in line {number} ({error})"
            raise DataError(what, where=str(path), do=do) from None
    return rows


def _parsed(path: str | Path, do: str) -> Any:
    content = read_bytes(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error})", where=str(path), do=do) from None


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise  # some file systems cannot sync a directory
    finally:
        os.close(descriptor)


@cache
def _process_space() -> str:
    """Identify where a process id is meaningful: this container, on this computer, since boot."""
    try:
        text = os.readlink("/proc/self/ns/pid")
        text += Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        text = platform.node()
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _delete_leftovers(target: Path) -> None:
    """Delete temporary files of `target` whose writers no longer run."""
    stem, suffix = re.escape(target.stem), re.escape(target.suffix)
    pattern = re.compile(rf"\.{stem}\.(\d+)-\d+\.([0-9a-f]{{8}})\.part{suffix}")
    for name in os.listdir(target.parent):
        found = pattern.fullmatch(name)
        if found is None:
            continue
        path = target.parent / name
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if found[2] == _process_space():
                gone = not _is_alive(int(found[1]))
            else:
                gone = time.time() - path.stat().st_mtime > LEFTOVER_AGE_S
            if gone:
                _delete(path)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
