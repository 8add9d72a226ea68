"""Two runs into one directory: the files of the first are kept, and apart from the second's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ls3_launch.earlier import set_aside

pytestmark = pytest.mark.background


def leave_results(out: Path, text: str, seconds: float) -> None:
    (out / "episodes").mkdir(parents=True)
    (out / "episodes/episode_0000_seed_1.h5").write_text(text)
    (out / "summary.json").write_text(text)
    for path in (out / "episodes", out / "summary.json"):
        os.utime(path, (seconds, seconds))


def test_results_of_an_earlier_run_are_moved_and_none_is_lost(tmp_path: Path) -> None:
    given = {"mode": "run", "out": str(tmp_path / "out")}
    assert set_aside(given) == ""  # no directory yet
    for text in ("first", "second"):  # of the same second
        leave_results(tmp_path / "out", text, 1e9)
        line = set_aside(given)
        place = Path(line.rpartition(" ")[2])
        assert place.parent == tmp_path / "out/earlier"
        assert (place / "summary.json").read_text() == text
        assert (place / "episodes/episode_0000_seed_1.h5").read_text() == text
        assert os.listdir(tmp_path / "out") == ["earlier"]
    assert len(os.listdir(tmp_path / "out/earlier")) == 2


def test_other_files_stay_and_learning_moves_nothing(tmp_path: Path) -> None:
    leave_results(tmp_path, "x", 1e9)
    (tmp_path / "black_box").mkdir()
    assert set_aside({"mode": "learn", "out": str(tmp_path)}) == ""
    assert set_aside({"out": str(tmp_path)}) == ""  # of a launch that makes a recording
    assert set_aside({"mode": "run", "out": str(tmp_path)})
    assert sorted(os.listdir(tmp_path)) == ["black_box", "earlier"]
