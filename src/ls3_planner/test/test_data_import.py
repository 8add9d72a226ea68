"""Bags of simulated episodes become the arrays that the simulation itself gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import STEP_MS, Recording, record_episode, simulation

from ls3_models.episodes import Episode, list_episodes, read_episode
from ls3_planner.commands import run
from ls3_planner.dataset import MARKER

KINDS = ("demonstration", "constraint")
SEEDS = (3, 4)


def content(path: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def data_import(bag: Path, out: Path, *words: str) -> int:
    """`ls3 data import`; the bag must be as before."""
    before = content(bag.parent if bag.is_file() else bag)
    code = run(["data", "import", str(bag), "--out", str(out), *words])
    assert content(bag.parent if bag.is_file() else bag) == before
    return code


def rows(out: Path) -> list[dict[str, Any]]:
    document = json.loads((out / "import.json").read_text())
    return [row for bag in document.values() for row in bag["episodes"]]


def make_bag(path: Path, steps: int = 50, marks: bool = True, **settings: Any) -> list[Episode]:
    """A demonstration and an episode that touches the obstacle."""
    truth = []
    with simulation() as env, Recording(path, **settings) as recording:
        for number, (kind, seed) in enumerate(zip(KINDS, SEEDS, strict=True)):
            if marks:
                recording.mark("start")
                recording.wait(1)
            truth.append(record_episode(recording, env, kind, seed, number, steps))
            recording.wait(1)
            if marks:
                recording.mark("stop")
            recording.wait(2000)
    return truth


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Episode]]:
    path = tmp_path_factory.mktemp("bags") / "lab"
    return path, make_bag(path)


def assert_same(found: Episode, truth: Episode, tolerance: float = 0.0) -> None:
    assert np.array_equal(found.observations, truth.observations)
    assert np.allclose(found.actions, truth.actions, rtol=0, atol=tolerance)
    assert found.actions.dtype == truth.actions.dtype
    assert np.array_equal(found.rewards, truth.rewards)
    assert np.array_equal(found.constraint, truth.constraint)
    assert np.array_equal(found.success, truth.success)
    assert found.source == truth.source


def test_commands_give_what_the_simulation_gives(
    lab: tuple[Path, list[Episode]], tmp_path: Path
) -> None:
    bag, truth = lab
    assert truth[0].succeeded and truth[1].violated
    assert data_import(bag, tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / MARKER).read_text())["domain"] == "cable_routing"
    files = list_episodes(tmp_path / "out")
    assert len(files) == 2
    for file, expected in zip(files, truth, strict=True):
        found = read_episode(file)
        assert_same(found, expected)
        made = found.attributes["import"]
        assert (made["bag"], made["actions_from"]) == ("lab", "commands")
        assert made["labels_from"] == "task_state"
        assert made["last_stamp"] - made["first_stamp"] == 50 * STEP_MS * 10**6
        assert made["settings"]["settle"] == 0.1


def test_setpoints_give_the_same_actions(lab: tuple[Path, list[Episode]], tmp_path: Path) -> None:
    bag, truth = lab
    words = ["--actions", "setpoints", "--period", str(STEP_MS / 1000)]
    assert data_import(bag, tmp_path / "out", *words) == 0
    demonstration, violation = map(read_episode, list_episodes(tmp_path / "out"))
    assert_same(demonstration, truth[0], tolerance=1e-7)
    assert np.array_equal(violation.observations, truth[1].observations)
    moving = int(truth[1].constraint.argmax())  # then the simulation is frozen, arm and all
    expected = truth[1].actions[:moving]
    assert np.allclose(violation.actions[:moving], expected, rtol=0, atol=1e-7)
