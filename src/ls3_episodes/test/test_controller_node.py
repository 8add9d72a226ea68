"""controller_node as a process between a planner and joints that the test plays."""

from __future__ import annotations

import signal
from typing import Any

import pytest

PERIOD_NS = 20_000_000
START_NS = 10**9


class Joints:
    """Reports joint states, hears commands, and asks for plans."""

    def __init__(self, bench: Any) -> None:
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Float64MultiArray

        from ls3_common import qos, ros, topics
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan

        self.bench, self.ros, self._state, self._plan = bench, ros, JointState, Plan
        self.sent = bench.collect(Float64MultiArray, topics.controller("effort"))
        self.answers = bench.collect(ArmCommand, topics.ARM_COMMAND)
        self.motions = bench.collect(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self.child = bench.start(
            "ls3_episodes.controller_node",
            interface="effort",
            low=[-1.0, -1.0],
            high=[1.0, 1.0],
            period=0.02,
            max_silence=1.0,
        )
        self._states = bench.publisher(JointState, topics.JOINT_STATES)
        self._plans = bench.publisher(Plan, topics.PLAN)
        bench.until(lambda: self.motions)

    def report(self, stamp: int) -> None:
        message = self._state(name=["a", "b"], position=[0.0, 0.0])
        message.header.stamp = self.ros.to_time(stamp)
        self._states.publish(message)

    def ask(
        self,
        action: list[float],
        stamp: int = START_NS,
        *,
        feasible: bool = True,
        reason: str = "",
    ) -> Any:
        """Send one plan and return the answer to it."""
        count = len(self.answers)
        plan = self._plan(action=action, feasible=feasible, reason=reason, episode=3, step=count)
        plan.header.stamp = self.ros.to_time(stamp)
        self._plans.publish(plan)
        self.bench.until(lambda: len(self.answers) > count)
        answer = self.answers[-1]
        assert (answer.episode, answer.step) == (3, count)
        return answer


@pytest.fixture
def joints(bench: Any) -> Joints:
    made = Joints(bench)
    assert not made.motions[-1].ready
    made.report(START_NS)
    bench.until(lambda: made.motions[-1].ready)
    return made


def test_a_plan_is_sent_and_its_end_is_told(joints: Joints) -> None:
    answer = joints.ask([0.25, -1.0])
    assert (answer.outcome, list(answer.sent)) == ("sent", [0.25, -1.0])
    joints.bench.until(lambda: joints.sent)
    assert list(joints.sent[-1].data) == [0.25, -1.0]
    joints.bench.until(lambda: joints.motions[-1].moving)
    joints.report(START_NS + PERIOD_NS)
    joints.bench.until(lambda: not joints.motions[-1].moving)
    assert joints.ros.nanoseconds(joints.motions[-1].header.stamp) == START_NS + PERIOD_NS
    assert (joints.motions[-1].episode, joints.motions[-1].step) == (3, 0)
    assert joints.ask([0.0, 0.0]).reason == "image older than the last motion"
    assert len(joints.sent) == 1


def test_no_plan_stops_the_joints_for_one_period(joints: Joints) -> None:
    answer = joints.ask([1.0, 1.0], feasible=False)
    assert (answer.outcome, list(answer.sent)) == ("held", [0.0, 0.0])
    assert joints.ros.nanoseconds(answer.header.stamp) == START_NS + PERIOD_NS
    joints.bench.until(lambda: joints.sent)
    assert list(joints.sent[-1].data) == [0.0, 0.0]


def test_why_a_plan_held_is_said_until_the_next_motion(joints: Joints) -> None:
    answer = joints.ask([0.0, 0.0], feasible=False, reason="no plan: words")
    assert (answer.outcome, answer.reason) == ("held", "no plan: words")
    joints.bench.until(lambda: joints.motions[-1].reason == "no plan: words")
    assert joints.motions[-1].ready
    joints.report(START_NS + PERIOD_NS)
    joints.bench.until(lambda: not joints.motions[-1].moving)
    assert joints.ask([0.25, 0.0], START_NS + PERIOD_NS).outcome == "sent"
    joints.bench.until(lambda: joints.motions[-1].moving)
    assert (joints.motions[-1].ready, joints.motions[-1].reason) == (True, "")


def test_what_is_unfit_is_refused_and_nothing_sent(joints: Joints) -> None:
    for action in ([float("nan"), 0.0], [0.0], [1.5, 0.0], []):
        assert joints.ask(action).outcome == "refused"
    assert joints.sent == []


def test_silent_joints_are_not_commanded(joints: Joints) -> None:
    joints.bench.until(lambda: not joints.motions[-1].ready, 10)
    assert "no joint states for 1 s" in joints.motions[-1].reason
    assert joints.ask([0.0, 0.0]).outcome == "refused"
    assert joints.sent == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_joints_stopped(joints: Joints, number: int) -> None:
    joints.ask([1.0, 1.0])
    joints.child.interrupt(number)
    assert joints.child.wait(5) == 0
    joints.bench.until(lambda: len(joints.sent) == 2, 5)
    assert list(joints.sent[-1].data) == [0.0, 0.0]
