"""What a bag is stored as, and how much memory it takes to read one."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_data_import import data_import, make_bag

from ls3.cli.commands import run
from ls3_models.episodes import list_episodes, read_episode

pytestmark = pytest.mark.background


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_compressed_images_of_either_storage(tmp_path: Path, storage: str) -> None:
    truth = make_bag(tmp_path / "bag", steps=4, storage=storage, compressed=True)
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    for file, expected in zip(list_episodes(tmp_path / "out"), truth, strict=True):
        assert np.array_equal(read_episode(file).observations, expected.observations)


def test_bag_of_humble_without_definitions(tmp_path: Path) -> None:
    truth = make_bag(tmp_path / "bag", steps=3, storage="sqlite3")
    with sqlite3.connect(tmp_path / "bag" / "bag.db3") as database:
        database.execute("DROP TABLE message_definitions")
        database.execute("UPDATE schema SET schema_version = 3")
    database.close()
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    for file, expected in zip(list_episodes(tmp_path / "out"), truth, strict=True):
        assert np.array_equal(read_episode(file).actions, expected.actions)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for steps in (5, 25):
        bag = tmp_path / f"bag_{steps}"
        make_bag(bag, steps=steps)
        words = ["data", "import", str(bag), "--out", f"{bag}_out", "--dry-run"]
        assert run(words) == 0  # the first time libraries are imported
        tracemalloc.start()
        assert run(words) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    small, large = peaks
    frames = 2 * (25 - 5) * 4 * 128 * 128 * 3  # bytes that the larger bag has more
    assert large - small < 0.2 * frames


def test_not_a_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").mkdir()
    assert run(["data", "import", str(tmp_path / "notes"), "--out", str(tmp_path / "out")]) == 2
    assert "notes: rejected: no bag here" in capsys.readouterr().out
    assert run(["data", "import", "x", "--out", "y", "--domain", "navigation"]) == 2
    assert "the format bag is read for a domain with an arm" in capsys.readouterr().err
