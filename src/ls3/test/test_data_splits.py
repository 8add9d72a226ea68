"""Recordings of several files, compressed or not, with and without metadata.yaml.

Two classes. The order of files by name: numbers before and after the name, in MCAP and sqlite3, and
files that somebody has renamed. A list of file endings decides what a bag is: files compressed as a
whole, with and without metadata.yaml, alone, cut off, and half compressed when the recorder was
killed; messages compressed one by one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from recorded import TYPES
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from test_data_import import data_import, make_bag, reasons, rows, verdicts

from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

STEPS = 6


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Episode]]:
    path = tmp_path_factory.mktemp("bags") / "lab"
    return path, make_bag(path, steps=STEPS)


def copy(bag: Path, to: Path, names: Sequence[str], storage: str = "mcap", mode: str = "") -> Path:
    """Copy a bag to files of these names, which share its time evenly, without metadata.yaml."""
    to.mkdir()
    with Reader(bag) as reader:
        said = [(c.topic, c.msgtype, log, data) for c, log, data in reader.messages()]
    first, last = said[0][2], said[-1][2] + 1
    folder = to.with_name(f"{to.name}_part")
    for number, name in enumerate(names):
        part = Writer(folder, version=9, storage_plugin=StoragePlugin[storage.upper()])
        if mode:
            part.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
        with part:
            known = {}
            for topic, kind, log, data in said:
                if topic not in known:
                    known[topic] = part.add_connection(topic, kind, typestore=TYPES)
                if (log - first) * len(names) // (last - first) == number:
                    part.write(known[topic], log, data)
        made = next(file for file in folder.iterdir() if file.name != "metadata.yaml")
        shutil.move(made, to / name)
        shutil.rmtree(folder)
    return to


def assert_imported(bag: Path, out: Path, truth: list[Episode]) -> None:
    assert data_import(bag, out) == 0
    assert verdicts(out) == ["imported"] * len(truth)
    for file, expected in zip(list_episodes(out), truth, strict=True):
        assert np.array_equal(read_episode(file).observations, expected.observations)
        assert np.array_equal(read_episode(file).actions, expected.actions)


@pytest.mark.parametrize(
    ("names", "storage"),
    [
        ([f"lab_{n}.mcap" for n in range(12)], "mcap"),
        ([f"{n}_lab_2026_03_01-09_{n:02d}_00.mcap" for n in range(12)], "mcap"),
        ([f"lab_{n}.db3" for n in range(12)], "sqlite3"),
        ([f"{name}.mcap" for name in ("morning", "noon", "evening")], "mcap"),
        ([f"{name}.db3" for name in ("morning", "noon", "evening")], "sqlite3"),
    ],
    ids=["number last", "number first", "sqlite3", "renamed", "renamed sqlite3"],
)
def test_the_files_of_a_killed_recorder_are_read_in_the_order_of_recording(
    lab: tuple[Path, list[Episode]], tmp_path: Path, out: Path, names: list[str], storage: str
) -> None:
    bag, truth = lab
    assert_imported(copy(bag, tmp_path / "bag", names, storage), out, truth)


def test_files_that_are_missing_are_named(
    lab: tuple[Path, list[Episode]], tmp_path: Path, out: Path
) -> None:
    """The metadata names files that are gone: the rest is in order, and the last episode is cut."""
    bag, _ = lab
    names = [f"lab_{n}.mcap" for n in range(12)]
    copy(bag, tmp_path / "bag", names)
    metadata = (bag / "metadata.yaml").read_text()
    listed = "".join(f"  - {name}\n" for name in names)
    (tmp_path / "bag" / "metadata.yaml").write_text(metadata.replace("  - lab.mcap\n", listed))
    (tmp_path / "bag" / names[-1]).unlink()
    (tmp_path / "bag" / names[-2]).unlink()
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert "files of the bag are missing: lab_10.mcap, lab_11.mcap" in reasons(out)[1]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", ["file", "message"])
def test_compressed_bags(
    lab: tuple[Path, list[Episode]], tmp_path: Path, out: Path, storage: str, mode: str
) -> None:
    """The directory with its metadata.yaml, without it, and the file alone."""
    bag, truth = lab
    suffix = {"mcap": ".mcap", "sqlite3": ".db3"}[storage] + (".zstd" if mode == "file" else "")
    copy(bag, tmp_path / "bag", [f"lab_{n}{suffix}" for n in range(3)], storage, mode)
    assert_imported(tmp_path / "bag", out, truth)
    whole = tmp_path / "whole"
    writer = Writer(whole, version=9, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
    with Reader(bag) as reader, writer:
        known = {}
        for one, log, data in reader.messages():
            if one.topic not in known:
                known[one.topic] = writer.add_connection(one.topic, one.msgtype, typestore=TYPES)
            writer.write(known[one.topic], log, data)
    assert_imported(whole, tmp_path / "out2", truth)
    assert_imported(whole / f"whole{suffix}", tmp_path / "out3", truth)


def test_a_recorder_killed_while_it_compressed(
    lab: tuple[Path, list[Episode]], tmp_path: Path, out: Path
) -> None:
    """The first file is compressed, the second half compressed, and the third not yet."""
    bag, truth = lab
    packed = copy(bag, tmp_path / "packed", [f"lab_{n}.mcap.zstd" for n in range(3)], mode="file")
    copy(bag, tmp_path / "bag", [f"lab_{n}.mcap" for n in range(3)])
    shutil.copy(packed / "lab_0.mcap.zstd", tmp_path / "bag")
    (tmp_path / "bag" / "lab_0.mcap").unlink()
    half = (packed / "lab_1.mcap.zstd").read_bytes()[:5000]
    (tmp_path / "bag" / "lab_1.mcap.zstd").write_bytes(half)
    assert_imported(tmp_path / "bag", out, truth)


@pytest.mark.parametrize("injury", ["cut off", "overwritten"])
def test_a_damaged_compressed_file_is_read_up_to_the_damage(
    lab: tuple[Path, list[Episode]], tmp_path: Path, out: Path, injury: str
) -> None:
    bag, _ = lab
    file = copy(bag, tmp_path / "bag", ["lab_0.mcap.zstd"], mode="file") / "lab_0.mcap.zstd"
    content = file.read_bytes()
    cut = len(content) * 3 // 4
    file.write_bytes(content[:cut] + (bytes(1000) if injury == "overwritten" else b""))
    data_import(tmp_path / "bag", out)
    assert rows(out)[-1]["steps"] > 0
    assert "lab_0.mcap.zstd: cut off or damaged" in reasons(out)[-1]


def test_a_pointer_in_the_place_of_a_bag(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bag").mkdir()
    pointer = "version https://git-lfs.example/v1\noid sha256:0\nsize 5\n"
    (tmp_path / "bag" / "bag_0.mcap").write_text(pointer)
    assert data_import(tmp_path / "bag", out) == 2
    said = capsys.readouterr().out
    assert "bag_0.mcap" in said and "git lfs pull" in said and "damaged" not in said
