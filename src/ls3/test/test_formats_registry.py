"""A new format is one file in `ls3.data.formats`: for the import, the export, and the help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_data_import import data_import, rows

import ls3.data.formats
from ls3.cli.commands import run
from ls3_models.episodes import Episode, list_episodes, read_episode, write_episode

pytestmark = pytest.mark.background

PLAIN = '''
"""Rows of numbers: one step per line, dx dy."""

from collections import Counter

import numpy as np

from dvrk_cable_env.bags.episodes import BagEpisode
from dvrk_cable_env.bags.segments import Segment
from ls3.data.registry import DataFormat


class Rows:
    cut = ""

    def __init__(self, path, options):
        self.name, self.digest, self.drops = path.stem, "0" * 12, Counter()
        self.segments = [Segment(0)]
        self._actions = np.loadtxt(path, np.float32, ndmin=2)

    def episodes(self, segments):
        steps = len(self._actions)
        yield BagEpisode(
            segments[0],
            observations=np.zeros((steps + 1, 64, 64, 1), np.uint8),
            actions=self._actions,
            success=np.ones(steps, bool),
            constraint=np.zeros(steps, bool),
            stamps=list(range(1, steps + 2)),
        )


def export(episodes, facts, out):
    np.savetxt(out / "all.rows", np.concatenate([one.actions for one in episodes]))


def find(path, options):
    return [path] if path.suffix == ".rows" else []


FORMAT = DataFormat("rows of numbers", find=find, open=Rows, export=export)
'''


@pytest.fixture
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder more, in which formats are looked for: a stand-in for one more file."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "plain.py").write_text(PLAIN)
    monkeypatch.setattr(ls3.data.formats, "__path__", [*ls3.data.formats.__path__, str(folder)])


@pytest.mark.usefixtures("_plain")
@pytest.mark.parametrize("words", [(), ("--from", "plain")])
def test_one_file_is_a_format(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Recognised by its files, or named."""
    actions = np.array([[0.01, 0.0], [0.0, -0.01]], np.float32)
    (tmp_path / "lab").mkdir()
    np.savetxt(tmp_path / "lab" / "some.rows", actions)
    assert data_import(tmp_path / "lab" / "some.rows", tmp_path / "data", *words) == 0
    (file,) = list_episodes(tmp_path / "data")
    assert np.array_equal(read_episode(file).actions, actions)
    assert rows(tmp_path / "data")[0]["episode"] == "some/0"
    words = ("--format", "plain", "--out", str(tmp_path / "out"), str(tmp_path / "data"))
    assert run(["data", "export", *words]) == 0
    assert np.allclose(np.loadtxt(tmp_path / "out" / "all.rows"), actions)


def test_formats_that_there_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown; only written; only read. The answer lists those that there are."""
    for name in ("rosbag1", "minari"):
        assert data_import(tmp_path, tmp_path / "data", "--from", name) == 2
        error = capsys.readouterr().err
        assert f"--from {name}: no such format" in error
        assert "data_collection: sessions of jhu-dvrk/data_collection" in error
    episode = Episode(
        observations=np.zeros((2, 64, 64, 1), np.uint8),
        actions=np.zeros((1, 2), np.float32),
        rewards=np.zeros(1, np.float32),
        constraint=np.zeros(1, bool),
        success=np.zeros(1, bool),
        source="random",
        seed=0,
    )
    write_episode(tmp_path / "data", "one", episode)
    words = ("--format", "bag", "--out", str(tmp_path / "out"), str(tmp_path / "data"))
    assert run(["data", "export", *words]) == 2
    error = capsys.readouterr().err
    assert "--format bag: no such format" in error
    assert "open_h: LeRobot v2.1" in error
