"""`set:=` changes parameters of one launch, or says why not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ls3_common.errors import ConfigError
from ls3_common.parameter_files import read_facts, read_node
from ls3_common.shared import find_shared
from ls3_launch import launching, overrides

pytestmark = pytest.mark.background

NODES = ("planner_node", "run_node")
CONFIG = str(find_shared("config/navigation.yaml"))


def written(given: dict[str, str], name: str) -> dict[str, Any]:
    """What the file says that is written for a node of navigation."""
    (path,) = overrides.of_node({"config": CONFIG, **given}, name)
    return read_node(path, name)


def test_changes_reach_the_node_whose_section_they_name() -> None:
    given = {"set": "planner_node.horizon=4, planner_node.realtime.judged=3 run_node.seed=1"}
    assert written(given, "planner_node") == {"horizon": 4, "realtime.judged": 3}
    assert written(given, "run_node") == {"seed": 1}
    assert overrides.of_node(given, "encoder_node") == []
    assert overrides.of_node({"set": ""}, "planner_node") == overrides.of_node({}, "x") == []


def test_a_profile_is_a_change_unless_it_is_left_to_the_file() -> None:
    assert written({"profile": "paper"}, "planner_node") == {"profile": "paper"}
    assert overrides.of_node({"profile": "auto"}, "planner_node") == []
    assert overrides.of_learning({"profile": "paper"}) == ["planner_node.profile=paper"]


def test_commas_and_spaces_inside_a_value_belong_to_it() -> None:
    given = {"set": "run_node.film.centre=[0.1, 0.2],run_node.film.title=two words, a.b=c d"}
    assert overrides.changes(given) == {
        "run_node": {"film.centre": [0.1, 0.2], "film.title": "two words"},
        "a": {"b": "c d"},
    }


def test_facts_and_variations_reach_every_node_that_reads_them() -> None:
    given = {"set": "domain.horizon=7 environment.camera_shift=2", "config": CONFIG}
    (path,) = overrides.of_node(given, "run_node")
    assert read_facts(path) == {"horizon": 7}
    assert launching.facts(given).horizon == 7
    (variations,) = launching.environment(given)
    assert variations["environment.camera_shift"] == 2
    assert "environment.start_jitter" in variations  # of the file


def test_learning_gets_what_ls3_learn_would_read() -> None:
    given = {"set": "learner.gamma=0.9 run_node.seed=1, planner_node.horizon=3", "mode": "learn"}
    overrides.check(given, NODES)
    assert overrides.of_learning(given) == ["learner.gamma=0.9", "planner_node.horizon=3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("planner_node.horizon", "is no override"),
        ("horizon=3", "is no override"),
        ("planner_node.horizon=", "has no value"),
        ("planer_node.horizon=3", "no section 'planer_node'"),
        ("arm_node.arm=PSM2", "no section 'arm_node'"),
        ("learner.gamma=0.9", "changes nothing with mode:=run"),
    ],
)
def test_what_would_change_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        overrides.check({"set": text, "mode": "run"}, NODES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("domain.horison=3", "did you mean 'horizon'?"),
        ("planner_node.horizon=99", "outside [1, 50]"),
        ("planner_node.horizn=3", "did you mean 'horizon'?"),
    ],
)
def test_a_launch_says_what_is_wrong_with_a_change(tmp_path: Path, change: str, words: str) -> None:
    command = ["ros2", "launch", "ls3_sim", "navigation.launch.py", f"set:={change}"]
    ran = subprocess.run(
        [*command, f"out:={tmp_path / 'out'}", "episodes:=0"],
        cwd=tmp_path,
        env=os.environ | {"ROS_DOMAIN_ID": str(os.getpid() % 90 + 110)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    output = ran.stdout + ran.stderr
    assert ran.returncode == 1, output
    assert words in output
    assert "Traceback" not in output
