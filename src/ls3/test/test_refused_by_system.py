"""What the operating system refuses is said in words that name the file and what to do.

The class: an error on open, on write or on close that is none of the few that the code expected. It
must end without a traceback, and never call a file damaged whose content nobody has seen.
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ls3.cli.commands import run
from ls3.cli.guard import guarded
from ls3_common.errors import DataError
from ls3_common.files import read_json
from ls3_models import checkpoint
from ls3_models.bundle import MANIFEST, WEIGHTS, load_bundle
from ls3_models.episodes import Episode, list_episodes, read_episode, write_episode

pytestmark = pytest.mark.background

POINTER = "version https://git-lfs.example/spec/v1\noid sha256:0\nsize 5\n"


def episode(steps: int = 3) -> Episode:
    noise = np.random.default_rng(0).integers(0, 255, (steps + 1, 64, 64, 1), np.uint8)
    flags = np.zeros(steps, bool)
    actions, rewards = np.zeros((steps, 2), np.float32), -np.ones(steps, np.float32)
    return Episode(noise, actions, rewards, flags, flags, source="random", seed=0)


@pytest.mark.parametrize(
    "number",
    [
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
        *(errno.EMFILE, errno.EFBIG, errno.ESTALE, errno.ENAMETOOLONG, errno.ENOTDIR),
        *(errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.EBUSY, errno.ETXTBSY),
    ],
    ids=errno.errorcode.get,
)
def test_any_error_of_the_system_ends_in_words(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise OSError(number, os.strerror(number), "/data/lab/bag_0000.h5")

    assert guarded(work) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"ls3: /data/lab/bag_0000.h5: {os.strerror(number)}\n  -> ")
    assert "damaged" not in said and "delete" not in said


def test_an_error_of_a_library_keeps_its_traceback() -> None:
    """Such as those of Pillow and h5py, which are OSErrors without a number."""

    def work() -> None:
        raise OSError("cannot identify image file")

    with pytest.raises(OSError, match="cannot identify"):
        guarded(work)


def test_an_episode_that_the_disk_does_not_take_is_named(tmp_path: Path) -> None:
    """A limit for the size of files is a disk that fills up while a file is written."""
    write_episode(tmp_path, "whole", episode())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_episode(tmp_path, "cut", episode())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "cut.h5"))
    assert [path.name for path in tmp_path.iterdir()] == ["whole.h5"]
    assert len(read_episode(tmp_path / "whole.h5")) == 3


SAY = "import sys; from ls3.cli.guard import guarded; sys.exit(guarded(lambda: print('x' * 99)))"


def test_output_to_a_full_disk_ends_in_words() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", SAY], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("ls3: No space left on device\n  -> make room")
    assert b"Traceback" not in done.stderr and b"ignored" not in done.stderr


def test_a_reader_that_has_enough_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", SAY], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_directory_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"loop: cannot be read"):
        list_episodes(tmp_path / "loop")
    assert list_episodes(tmp_path / "nowhere") == []


def test_a_contact_sheet_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_episode(tmp_path, "one", episode())
    words = ["data", "inspect", str(tmp_path), "--sheet", "/proc/nowhere/sheet.png"]
    assert run(words) == 2
    assert "/proc/nowhere" in capsys.readouterr().err


def bundle_of_pointers(folder: Path) -> None:
    (folder / WEIGHTS).write_text(POINTER)
    (folder / MANIFEST).write_text("{}")
    load_bundle(folder)


def checkpoint_pointer(folder: Path) -> None:
    (folder / "a.safetensors").write_text(POINTER)
    checkpoint.load(folder / "a.safetensors")


def episode_pointer(folder: Path) -> None:
    (folder / "a.h5").write_text(POINTER)
    read_episode(folder / "a.h5")


def json_pointer(folder: Path) -> None:
    (folder / "a.json").write_text(POINTER)
    read_json(folder / "a.json")


@pytest.mark.parametrize(
    "read", [bundle_of_pointers, checkpoint_pointer, episode_pointer, json_pointer]
)
def test_a_pointer_of_git_lfs_says_how_to_fetch_the_content(
    tmp_path: Path, read: Callable[[Path], None]
) -> None:
    with pytest.raises(DataError, match="a pointer of Git LFS") as caught:
        read(tmp_path)
    assert "git lfs pull" in str(caught.value)
    assert "damaged" not in str(caught.value) and "delete" not in str(caught.value)


def test_a_pointer_of_git_annex_says_how_to_fetch_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("/annex/objects/SHA256E-s5--0.h5\n")
    with pytest.raises(DataError, match="git annex get"):
        read_episode(tmp_path / "a.h5")
