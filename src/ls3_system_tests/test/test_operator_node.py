"""operator_node as a process, beside a robot that the test plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STEPS = 3
PATIENCE = 10.0  # s; on a busy computer DDS needs seconds to find the robot


@pytest.fixture
def operate(bench: Any, robot: Any, tmp_path: Path) -> Callable[..., tuple[Any, list[Any]]]:
    """Starts the node with a script of `count` episodes; returns process and marks."""
    from geometry_msgs.msg import PoseStamped
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    from ls3_common import qos

    poses = bench.node.create_publisher(PoseStamped, "PSM1/measured_cp", qos.RELIABLE)

    def place(image: Any) -> None:
        pose = PoseStamped(header=image.header)
        pose.pose.position.x, pose.pose.position.y = -0.09, 0.005
        poses.publish(pose)

    bench.node.create_subscription(Image, "camera/image_raw", place, qos.BEST_EFFORT)
    marks = bench.collect(String, "episode_mark")
    script = tmp_path / "script.json"

    def start(count: int = 1, **parameters: Any) -> tuple[Any, list[Any]]:
        entries = [{"kind": "random", "seed": 40 + index} for index in range(count)]
        script.write_text(json.dumps(entries))
        settings = {"script": str(script), "steps": STEPS, "recorded": False, **parameters}
        return bench.start("ls3_sim.operator_node", **settings), marks

    return start


def words(marks: list[Any]) -> list[str]:
    return [mark.data for mark in marks]


def test_each_entry_is_reset_marked_and_driven(
    operate: Callable[..., Any], robot: Any, bench: Any
) -> None:
    node, marks = operate(count=2)
    assert node.wait(60) == 0
    assert "all 2 episodes are done" in node.output
    bench.until(lambda: len(marks) == 4)
    assert words(marks) == ["start random", "stop"] * 2
    assert robot.seeds == [40, 41]
    assert [(plan.episode, plan.step) for plan in robot.plans] == [
        (episode, step) for episode in (1, 2) for step in range(STEPS)
    ]
    assert all(plan.feasible and max(map(abs, plan.action)) <= 0.015 for plan in robot.plans)


def test_a_refused_step_is_asked_for_again(operate: Callable[..., Any], robot: Any) -> None:
    robot.refusals = 1
    node, _ = operate()
    assert node.wait(60) == 0
    assert [plan.step for plan in robot.plans] == [0, 0, 1, 2]
    assert robot.plans[0].action == robot.plans[1].action, "the same draw of its behaviour"
    assert "step 0 refused: image older than the last motion" in node.output


def test_a_violation_ends_the_episode(operate: Callable[..., Any], robot: Any, bench: Any) -> None:
    robot.violation_after = 2
    node, marks = operate()
    assert node.wait(60) == 0
    assert len(robot.plans) == 2
    bench.until(lambda: words(marks) == ["start random", "stop"])


def test_an_arm_that_does_not_answer_costs_one_episode(
    operate: Callable[..., Any], robot: Any, bench: Any
) -> None:
    robot.answers = False
    node, marks = operate(count=2)
    bench.until(lambda: words(marks)[:2] == ["start random", "discard"])
    robot.answers = True
    assert node.wait(60) == 0
    bench.until(lambda: len(marks) == 5)
    assert words(marks)[2:] == ["stop", "start random", "stop"]
    assert [plan.step for plan in robot.plans if plan.episode == 2] == list(range(STEPS))
    assert "entry 0 discarded: arm_node does not answer" in node.output


def test_nothing_is_driven_that_nobody_records(operate: Callable[..., Any], robot: Any) -> None:
    node, marks = operate(recorded=True, start_timeout=PATIENCE)
    assert node.wait(60) == 2
    assert f"waited {PATIENCE:g} s: no recorder subscribes to camera/image_raw" in node.output
    assert not robot.plans
    assert not marks


def test_an_arm_that_is_not_ready_is_not_driven(
    operate: Callable[..., Any], robot: Any, bench: Any
) -> None:
    robot.ready = False
    robot.publish_state(moving=False)
    node, marks = operate(start_timeout=PATIENCE)
    assert node.wait(60) == 2
    assert f"waited {PATIENCE:g} s: the arm is not ready: the arm is in FAULT" in node.output
    assert not robot.plans
    assert not marks
