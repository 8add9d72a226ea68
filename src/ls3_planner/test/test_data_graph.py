"""A bag recorded beside the running graph gives the episodes that the graph itself recorded."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from test_data_import import content

from ls3_models.episodes import list_episodes, read_episode
from ls3_planner.commands import run

CONFIG = Path(__file__).parents[1] / "config" / "cable_routing.yaml"
TOPICS = (
    *("camera/image_raw", "task_state", "step_request", "arm_command", "motion_state"),
    *("PSM1/setpoint_cp", "PSM1/measured_cp", "PSM1/operating_state"),
)
EPISODES, STEPS = 2, 4


def test_bags_of_the_graph_one_of_them_killed(
    child_of: Callable[..., Any],
    domain: int,
    model: Path,
    tmp_path: Path,
    planner_parameters: dict[str, Any],
) -> None:
    document = yaml.safe_load(CONFIG.read_text())
    small = {name.replace("__", "."): value for name, value in planner_parameters.items()}
    document["/**/planner_node"]["ros__parameters"] = small
    document["/**/run_node"]["ros__parameters"]["max_steps"] = STEPS
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(document))
    words = {
        "config": tmp_path / "small.yaml",
        "model": model,
        "out": tmp_path / "out",
        "episodes": EPISODES,
        "video": "false",
    }
    arguments = [f"{name}:={value}" for name, value in words.items()]
    bags = {number: tmp_path / number.name for number in (signal.SIGINT, signal.SIGKILL)}
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
    truth = [read_episode(path) for path in list_episodes(tmp_path / "out" / "episodes")]
    assert len(truth) == EPISODES
    for number, bag in bags.items():
        before = content(bag)
        out = tmp_path / f"data_{number.name}"
        assert run(["data", "import", str(bag), "--out", str(out)]) == 0
        assert content(bag) == before
        found = [read_episode(path) for path in list_episodes(out)]
        # whether the last one was over nobody can tell where the recorder was killed
        assert len(found) >= EPISODES - (number == signal.SIGKILL)
        for imported, recorded in zip(found, truth, strict=False):
            assert np.array_equal(imported.observations, recorded.observations)
            assert np.array_equal(imported.actions, recorded.actions)
            assert np.array_equal(imported.success, recorded.success)
            assert np.array_equal(imported.constraint, recorded.constraint)
            assert np.array_equal(imported.rewards, recorded.rewards)
            assert imported.source == recorded.source
