"""`ls3 data inspect`: figures that can be counted by hand, and the contact sheet's pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ls3.cli.commands import run
from ls3.data.data_inspect import CAPTION, contact_sheet, summarise
from ls3_common.domain import load_spec
from ls3_models.episodes import Episode, write_episode

pytestmark = pytest.mark.background


def episode(steps: int, source: str, success_from: int = 99, violation_from: int = 99) -> Episode:
    """Its picture k is of brightness 10 (k + 1); its actions are 0.012 and 0."""
    number = np.arange(1, steps + 1)
    success = number >= success_from
    frames = np.full((steps + 1, 64, 64, 1), 10, np.uint8)
    frames *= np.arange(1, steps + 2, dtype=np.uint8)[:, None, None, None]
    return Episode(
        observations=frames,
        actions=np.tile(np.array([0.012, 0.0], np.float32), (steps, 1)),
        rewards=np.where(success, 0, -1).astype(np.float32),
        constraint=number >= violation_from,
        success=success,
        source=source,
        seed=0,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_episode(tmp_path, "a", episode(6, "demonstration", success_from=5))
    write_episode(tmp_path, "b", episode(4, "demonstration", success_from=3))
    write_episode(tmp_path, "c", episode(10, "constraint", violation_from=8))
    return tmp_path


def test_figures(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", str(data)]) == 0
    text = capsys.readouterr().out
    for line in (
        "3 episodes, 20 steps, 4 to 10 steps each (mean 6.7)",
        "demonstration: 2 episodes, return -3.0 ± 1.0, 2 reach the goal, 0 violate",
        "constraint: 1 episodes, return -10.0 ± 0.0, 0 reach the goal, 1 violate",
        "steps to the goal: median 4",
        "labels: 20.0% of the states in the goal set, 15.0% violate (obstacle)",
        "action 0, from -0.015 to 0.015 (m):",
    ):
        assert line in text
    assert "warning" not in text
    histogram = summarise(data, load_spec("cable_routing")).histogram
    assert histogram[0].tolist() == [0] * 9 + [20]
    assert histogram[1].tolist() == [0] * 5 + [20] + [0] * 4
    assert (data / "contact_sheet.png").exists()


def test_what_is_odd_is_said(data: Path) -> None:
    odd = episode(3, "random")
    odd.observations[:2] = 0
    odd.actions[1] = 0.02
    write_episode(data, "d", odd)
    text = "\n".join(summarise(data, load_spec("cable_routing")).lines(3))
    assert "warning: 2 frames are empty" in text
    assert "warning: 1 actions lie outside the bounds" in text


def test_contact_sheet(data: Path) -> None:
    sheet = contact_sheet(data, rows=2, columns=3, channels=1)
    assert sheet.size == (3 * 66, 2 * (66 + CAPTION))
    pixels = np.asarray(sheet)
    first, last = pixels[CAPTION : CAPTION + 66], pixels[-66:]
    assert first[30, [30, 96, 162], 0].tolist() == [10, 40, 70]  # states 0, 3 and 6 of episode a
    assert first[0, [30, 96, 162]].tolist() == [[128] * 3, [128] * 3, [0, 128, 0]]  # the goal
    assert last[30, [30, 96, 162], 0].tolist() == [10, 60, 110]  # 0, 5 and 10 of episode c
    assert last[0, 162].tolist() == [255, 0, 0]


def test_sheet_may_lie_elsewhere(data: Path) -> None:
    path = data / "pictures" / "sheet.png"
    words = ["--sheet", str(path), "--rows", "1", "--columns", "2"]
    assert run(["data", "inspect", str(data), *words]) == 0
    with Image.open(path) as picture:
        assert picture.size == (2 * 66, 66 + CAPTION)


def test_mistakes_are_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", str(tmp_path / "none")]) == 2
    assert "holds no episodes" in capsys.readouterr().err
    assert run(["data", "inspect", str(data), "--rows", "0"]) == 2
    assert run(["data", "inspect", str(data), "--domain", "nowhere"]) == 2
