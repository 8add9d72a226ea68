"""arm_node as a process, between a planner's messages and an arm that speaks CRTK."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from ls3_common import qos
from ls3_common.ros import nanoseconds
from ls3_interfaces.msg import MotionState

MS = 1_000_000
WORDS = "the frame is unlike the training data: score 3.10, limit 1.40"
PLANNER = """
import rclpy, time
from ls3_interfaces.msg import Plan
rclpy.init()
node = rclpy.create_node("planner")
plans = node.create_publisher(Plan, "plan", 10)
for step in range(1000):
    plan = Plan(episode=8, step=step, feasible=True, action=[0.001, 0.0])
    plan.header.stamp = node.get_clock().now().to_msg()
    plans.publish(plan)
    time.sleep(0.1)
"""


@pytest.fixture
def planner(bench: Any) -> Callable[[], Any]:
    """Starts a process that sends a safe plan ten times a second."""
    return lambda: bench.start("-c", PLANNER)


def test_a_safe_plan_moves_the_arm_and_the_motion_is_reported(rig: Any) -> None:
    origin = rig.arm.position[:2]
    del rig.states[:-1]
    command = rig.plan(0.01, -0.005)
    assert (command.outcome, command.reason) == ("sent", "")
    assert list(command.sent) == pytest.approx([0.01, -0.005])
    assert command.header.frame_id == "PSM1_base"
    end = rig.ready()
    assert rig.arm.moves == [pytest.approx((origin[0] + 0.01, origin[1] - 0.005, -0.1))]
    assert rig.arm.move.header.frame_id == "PSM1_base"
    assert rig.arm.move.pose.orientation.x == 1.0, "the orientation is kept"
    began = next(state for state in rig.states if state.moving)
    assert (end.episode, end.step) == (began.episode, began.step) == (7, rig.step)
    assert nanoseconds(began.header.stamp) < nanoseconds(end.header.stamp) <= rig.bench.now()


def test_who_comes_late_hears_the_present_alone_and_the_past_elsewhere(rig: Any) -> None:
    """`ros2 topic echo --once` prints what comes first: of a stopped arm that it is stopped."""
    for _ in range(3):
        assert rig.plan(0.001, 0.0).outcome == "sent"
        rig.ready()
    rig.bench.call("/arm_node/stop")
    rig.not_ready("stopped by the operator")
    present, past = (
        rig.bench.collect(MotionState, topic, qos.CHANGES)
        for topic in ("motion_state", "motion_history")
    )
    rig.bench.until(lambda: present and len(past) > 6)
    time.sleep(0.5)
    assert [state.reason for state in present] == [rig.states[-1].reason]
    assert past[-1] == present[0]
    assert [state.moving for state in past].count(True) >= 3


def test_consecutive_steps_add_up_from_the_setpoint(rig: Any) -> None:
    x = rig.arm.position[0]
    for _ in range(3):
        assert rig.plan(0.01, 0.0).outcome == "sent"
        rig.ready()
    expected = [x + 0.01, x + 0.02, x + 0.03]
    assert [move[0] for move in rig.arm.moves] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ((math.nan, 0.0), "the action is not finite"),
        ((0.0, math.inf), "the action is not finite"),
        ((0.016, 0.0), "a step of 0.016 m, allowed 0.015 m"),
        ((), "the action has 0 numbers, not 2"),
        ((0.01, 0.01, 0.01), "the action has 3 numbers, not 2"),
    ],
)
def test_an_unfit_action_is_refused_echoed_and_holds(
    rig: Any, action: tuple[float, ...], reason: str
) -> None:
    holds, before = rig.arm.holds, rig.states[-1]
    command = rig.plan(*action)
    assert (command.outcome, command.reason) == ("refused", reason)
    assert list(command.requested) == pytest.approx(list(action), nan_ok=True)
    assert list(command.sent) == [0.0, 0.0]
    rig.bench.until(lambda: rig.arm.holds == holds + 1)
    assert rig.arm.moves == [] and rig.states[-1] == before


@pytest.mark.parametrize(
    ("offset_ms", "reason"),
    [
        (-60_000, "image older than the last motion"),
        (60_000, "in the future"),
        (None, "the image has no stamp"),
    ],
)
def test_an_image_of_the_wrong_time_is_refused(
    rig: Any, offset_ms: int | None, reason: str
) -> None:
    image = 0 if offset_ms is None else rig.bench.now() + offset_ms * MS
    command = rig.plan(0.01, 0.0, image=image)
    assert command.outcome == "refused" and reason in command.reason
    assert rig.arm.moves == []


def test_an_image_from_before_the_end_of_the_last_motion_is_refused(rig: Any) -> None:
    assert rig.plan(0.01, 0.0).outcome == "sent"
    end = nanoseconds(rig.ready().header.stamp)
    command = rig.plan(0.01, 0.0, image=end - 1)
    assert (command.outcome, command.reason) == ("refused", "image older than the last motion")
    assert rig.plan(0.01, 0.0, image=end).outcome == "sent"
    rig.ready()
    assert len(rig.arm.moves) == 2


def test_a_plan_during_a_motion_is_refused(rig: Any) -> None:
    rig.arm.duration, x = 0.5, rig.arm.position[0]
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.bench.until(lambda: rig.arm.is_busy)
    command = rig.plan(0.0, 0.01)
    assert (command.outcome, command.reason) == ("refused", "the arm is moving")
    rig.ready()
    assert rig.arm.position[0] == pytest.approx(x + 0.01), "the first motion was completed"


def test_an_infeasible_plan_holds(rig: Any) -> None:
    holds = rig.arm.holds
    command = rig.plan(0.01, 0.0, feasible=False)
    assert (command.outcome, command.reason) == ("held", "no feasible plan")
    rig.bench.until(lambda: rig.arm.holds == holds + 1)
    assert rig.arm.moves == []


def test_why_a_plan_held_is_said_until_the_next_motion(rig: Any) -> None:
    command = rig.plan(0.0, 0.0, feasible=False, reason=WORDS)
    assert (command.outcome, command.reason) == ("held", WORDS)
    state = rig.bench.until(lambda: [s for s in rig.states if s.reason == WORDS])[-1]
    assert state.ready and not state.moving
    assert rig.plan(0.001, 0.0).outcome == "sent"
    assert rig.ready().reason == ""
    assert "not ready: the frame" not in rig.child.output


def test_a_goal_outside_the_workspace_is_clamped(rig: Any) -> None:
    while (command := rig.plan(0.0, -0.015)).outcome == "sent":
        rig.ready()
    assert command.outcome == "clamped" and "workspace" in command.reason
    rig.ready()
    before, last = rig.arm.moves[-2:]
    assert last[1] == pytest.approx(-0.13, abs=1e-12)
    assert list(command.sent) == pytest.approx([0.0, last[1] - before[1]], abs=1e-6)


def test_a_stale_robot_state_is_refused(rig: Any) -> None:
    rig.arm.publishes_poses = False
    rig.not_ready("older than 1.5 s")
    assert "older than 1.5 s" in rig.plan(0.01, 0.0).reason
    assert rig.arm.moves == []
    rig.arm.publishes_poses = True
    assert rig.plan(0.01, 0.0).outcome == "refused", "fresh again, but nobody has armed it"
    rig.arm_it()


def test_an_invalid_robot_pose_is_refused(rig: Any) -> None:
    rig.arm.stamps_are_valid = False
    rig.not_ready("stamp 0")
    assert "stamp 0" in rig.plan(0.01, 0.0).reason


def test_a_fault_stops_and_stays_until_an_operator_arms_again(rig: Any) -> None:
    rig.arm.duration = 5.0
    rig.plan(0.01, 0.0)
    rig.bench.until(lambda: rig.arm.is_busy)
    holds = rig.arm.holds
    rig.arm.commands.clear()
    rig.arm.become(state="FAULT", is_busy=False)
    rig.not_ready("the arm is FAULT")
    rig.bench.until(lambda: rig.arm.holds > holds)
    rig.arm.become(state="ENABLED")
    assert "FAULT" in rig.plan(0.01, 0.0).reason
    assert rig.arm.commands == [], "it is not enabled again by itself"
    rig.arm_it()


def test_a_move_that_the_robot_drops_times_out(rig: Any) -> None:
    rig.arm.ignores_moves = True
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.not_ready("did not end within 3 s")
    assert "did not end" in rig.plan(0.01, 0.0).reason


def test_stop_service_holds_and_latches(rig: Any) -> None:
    rig.arm.duration = 5.0
    rig.plan(0.01, 0.0)
    rig.bench.until(lambda: rig.arm.is_busy)
    assert rig.bench.call("/arm_node/stop").success
    rig.bench.until(lambda: not rig.arm.is_busy)
    assert "stopped by the operator" in rig.plan(0.01, 0.0).reason


def test_a_planner_that_dies_leaves_an_arm_at_rest_and_ready(rig: Any, planner: Any) -> None:
    with planner() as child:
        rig.bench.until(lambda: len(rig.arm.moves) >= 2)
        child.send(signal.SIGKILL)
        child.wait()
    rig.bench.until(lambda: not rig.states[-1].moving and not rig.arm.is_busy)
    count, position = len(rig.arm.moves), list(rig.arm.position)
    time.sleep(0.5)  # the planner sent a plan each 0.1 s
    assert (len(rig.arm.moves), rig.arm.position) == (count, position)
    assert rig.states[-1].ready and rig.plan(0.0, 0.005).outcome == "sent"
