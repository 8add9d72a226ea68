"""A file is the old one or the new one whatever happens, and what cannot be read is not damaged."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ls3_common import files
from ls3_common.errors import DataError
from ls3_common.files import read_json, read_rows, replacing, write_bytes, write_json, write_text

SIZE = 300_000
WRITER = f"""
import sys
from ls3_common.files import write_bytes
for number in range(10**9):
    write_bytes(sys.argv[1], bytes([number % 256]) * {SIZE})
"""


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ".part" in path.name)


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path, chance = tmp_path / "data.bin", random.Random(0)
    left = 0
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        before = path.read_bytes() if path.exists() else b""
        deadline = time.monotonic() + 60
        while not path.exists() or path.read_bytes() == before:
            assert writer.poll() is None and time.monotonic() < deadline
        time.sleep(chance.uniform(0.0, 0.02))
        writer.kill()
        writer.wait()
        content = path.read_bytes()
        assert len(content) == SIZE and len(set(content)) == 1
        assert len(leftovers(tmp_path)) <= 1, "each writer deletes what the one before has left"
        left += len(leftovers(tmp_path))
    assert left, "else no writer was killed while it wrote"
    write_bytes(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_a_temporary_file_of_a_living_writer_stays(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("slow")
        thread = threading.Thread(target=write_text, args=(tmp_path / "a.txt", "quick"))
        thread.start()
        thread.join()
        assert part.exists() and (tmp_path / "a.txt").read_text() == "quick"
    assert (tmp_path / "a.txt").read_text() == "slow"


@pytest.mark.parametrize(("age", "kept"), [(60, True), (2 * files.LEFTOVER_AGE_S, False)])
def test_a_temporary_file_of_another_computer_is_deleted_when_forgotten(
    tmp_path: Path, age: float, kept: bool
) -> None:
    other = tmp_path / ".a.1234567-0.00000000.part.txt"
    other.write_text("of another computer")
    os.utime(other, (time.time() - age, time.time() - age))
    write_text(tmp_path / "a.txt", "x")
    assert other.exists() == kept


def test_only_leftovers_of_the_same_file_are_deleted(tmp_path: Path) -> None:
    mark = f"999999999-0.{files._process_space()}"
    mine, others = tmp_path / f".a.{mark}.part.txt", tmp_path / f".b.{mark}.part.txt"
    for path in (mine, others):
        path.write_text("half")
    write_text(tmp_path / "a.txt", "x")
    assert leftovers(tmp_path) == [others.name]


def test_after_an_exception_the_old_file_is_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_the_file_and_its_directory_are_synced_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "a.txt", []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        seen.append((Path(name).is_dir(), path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "x")
    assert seen == [(False, False), (True, True)]


def test_a_disk_that_fills_up_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "a.txt", "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "a.txt", "new")
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "far" / "a.txt", tmp_path / "link.txt"
    write_text(target, "old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "for the reader")
    assert os.read(reader, 100) == b"for the reader"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_directory_takes_its_place_as_a_whole(tmp_path: Path) -> None:
    dead = tmp_path / f".set.999999999-0.{files._process_space()}.part"
    (dead / "sub").mkdir(parents=True)
    (tmp_path / "set").mkdir()
    with replacing(tmp_path / "set") as part:
        (part / "sub").mkdir(parents=True)
        (part / "sub" / "a.txt").write_text("x")
        assert list((tmp_path / "set").iterdir()) == []
    assert (tmp_path / "set" / "sub" / "a.txt").read_text() == "x"
    assert not leftovers(tmp_path)

    def again() -> None:
        with replacing(tmp_path / "set") as part:
            part.mkdir()

    with pytest.raises(OSError, match="not empty"):
        again()
    assert (tmp_path / "set" / "sub" / "a.txt").exists() and not leftovers(tmp_path)


def test_json_has_lists_of_numbers_on_a_line_and_texts_unchanged(tmp_path: Path) -> None:
    document = {"n": [1, 2.5, -3], "text": 'a "[1,   2]"  b', "more": [{"x": []}], "ü": [[1], [2]]}
    write_json(tmp_path / "a.json", document)
    text = (tmp_path / "a.json").read_text()
    assert read_json(tmp_path / "a.json") == document
    assert ' "n": [ 1, 2.5, -3 ],\n' in text


def test_rows_that_are_damaged_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    files.write_rows(path, [{"a": 1}, {"a": 2}])
    assert read_rows(path, do="") == [{"a": 1}, {"a": 2}]
    path.write_text(path.read_text()[:-3])
    with pytest.raises(DataError, match=r"(?s)rows\.jsonl: damaged in line 2.*begin anew"):
        read_rows(path, do="begin anew")


def unreadable(folder: Path) -> dict[str, Path]:
    """Paths that cannot be read, whoever asks; also root."""
    for name, target in {"loop": "loop", "fault": "/proc/self/mem", "folder": "."}.items():
        (folder / name).symlink_to(target)
    return {name: folder / name for name in ("loop", "fault", "folder", "missing")}


@pytest.mark.parametrize("kind", ["loop", "fault", "folder", "missing"])
def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path: Path, kind: str) -> None:
    path = unreadable(tmp_path)[kind]
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_json(path)
    assert "delete" not in str(caught.value) and str(path) in str(caught.value)


def test_too_many_open_files_are_no_damage(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", json.dumps({}))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(DataError, match=r"(?s)Too many open files.*ulimit"):
            read_json(tmp_path / "a.json")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
