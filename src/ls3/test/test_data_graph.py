"""A bag recorded beside the running graph gives the episodes that the graph itself recorded."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from test_data_import import content

from ls3.cli.commands import run
from ls3_common.shared import find_shared
from ls3_models.episodes import Episode, list_episodes, read_episode

CONFIG = find_shared("config/cable_routing.yaml")
TOPICS = (
    *("camera/image_raw", "task_state", "step_request", "arm_command", "motion_state"),
    *("PSM1/setpoint_cp", "PSM1/measured_cp", "PSM1/operating_state"),
)
EPISODES, STEPS = 2, 4
ATTEMPTS = 3
"""A busy computer may cost a recorder a frame, and the import says so; then it is tried again."""


def test_bags_of_the_graph_one_of_them_killed(
    child_of: Callable[..., Any],
    domain: int,
    model: Path,
    tmp_path: Path,
    planner_parameters: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = yaml.safe_load(CONFIG.read_text())
    small = {name.replace("__", "."): value for name, value in planner_parameters.items()}
    document["/**/planner_node"]["ros__parameters"] = small
    document["/**"]["ros__parameters"]["domain"]["horizon"] = STEPS
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(document))
    for attempt in range(ATTEMPTS):
        place = tmp_path / str(attempt)
        place.mkdir()
        bags = record(child_of, domain, place, tmp_path / "small.yaml", model)
        truth = [read_episode(path) for path in list_episodes(place / "out" / "episodes")]
        assert len(truth) == EPISODES
        capsys.readouterr()
        imported = {number: imports(bag, place) for number, bag in bags.items()}
        if "frames dropped" not in capsys.readouterr().out:
            break
    for number, found in imported.items():
        # whether the last one was over nobody can tell where the recorder was killed
        assert len(found) >= EPISODES - (number == signal.SIGKILL)
        for ours, recorded in zip(found, truth, strict=False):
            assert np.array_equal(ours.observations, recorded.observations)
            assert np.array_equal(ours.actions, recorded.actions)
            assert np.array_equal(ours.success, recorded.success)
            assert np.array_equal(ours.constraint, recorded.constraint)
            assert np.array_equal(ours.rewards, recorded.rewards)
            assert ours.source == recorded.source


def record(
    child_of: Callable[..., Any], domain: int, place: Path, config: Path, model: Path
) -> dict[signal.Signals, Path]:
    """Bags of one run of the graph, by the signal that ended their recorders."""
    words = {
        "config": config,
        "model": model,
        "out": place / "out",
        "episodes": EPISODES,
        "video": "false",
    }
    arguments = [f"{name}:={value}" for name, value in words.items()]
    bags = {number: place / number.name for number in (signal.SIGINT, signal.SIGKILL)}
    recorders = {
        number: child_of(["ros2", "bag", "record", "-o", str(bag), *TOPICS], domain)
        for number, bag in bags.items()
    }
    launch = ["ros2", "launch", "ls3_planner", f"{CONFIG.stem}.launch.py", *arguments]
    graph = child_of(launch, domain)
    try:
        assert graph.wait(100) == 0
        for number, recorder in recorders.items():
            recorder.interrupt(number)
            recorder.wait(20)
    finally:
        for child in (graph, *recorders.values()):
            child.stop()
            print(child.output)
    return bags


def imports(bag: Path, place: Path) -> list[Episode]:
    """The episodes in a bag, which stays as it is."""
    before = content(bag)
    out = place / f"data_{bag.name}"
    assert run(["data", "import", str(bag), "--out", str(out)]) == 0
    assert content(bag) == before
    return [read_episode(path) for path in list_episodes(out)]
