"""arm_node stops the simulated arm, also where the arm has no `hold`, as some simulators have none.

The arm's setpoint, which arm_node does not publish, tells how far the arm went on.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator

import pytest
from ros_bench import Bench, opened, until

from ls3_common import qos

DEAF = """
from ls3_sim import crtk_server, sim_node
subscribe = crtk_server.CrtkServer._subscribe
def all_but_hold(self, kind, name, command):
    if name != "hold":
        subscribe(self, kind, name, command)
crtk_server.CrtkServer._subscribe = all_but_hold
sim_node.main()
"""
"""sim_node with an arm that does not subscribe to `hold`."""
STUBBORN = """
from ls3_sim import psm, sim_node
psm.Psm.hold = lambda self: None
sim_node.main()
"""
"""sim_node with an arm that subscribes to `hold` and goes on."""
PATIENT = {"use_sim_time": True, "limits__max_state_age": 5.0, "limits__max_image_age": 30.0}
PATIENT |= {"limits__max_clock_skew": 1.0, "limits__max_silence": 10.0, "motion_timeout": 30.0}
STEP, SLOW = 0.014, 0.3
"""A step of 14 mm takes 0.28 s of a simulation that runs at 0.3 of real time."""


class Robot:
    """Hears the simulated arm and an operator's arm_node, and sends plans."""

    def __init__(self, bench: Bench) -> None:
        from geometry_msgs.msg import PoseStamped

        from crtk_msgs.msg import OperatingState, StringStamped
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan

        self.bench, self._plan = bench, Plan
        self.poses = bench.collect(PoseStamped, "PSM1/setpoint_cp", qos.NEWEST)
        self.states = bench.collect(OperatingState, "PSM1/operating_state", qos.CHANGES)
        self.reports = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self.answers = bench.collect(ArmCommand, "arm_command")
        self._command = StringStamped
        self._commands = bench.node.create_publisher(
            StringStamped, "PSM1/state_command", qos.RELIABLE
        )
        self._plans = bench.node.create_publisher(Plan, "plan", qos.RELIABLE)

    def tip(self) -> tuple[float, float]:
        place = self.poses[-1].pose.position
        return (place.x, place.y)

    def command(self, name: str) -> None:
        """Somebody else enables and homes the arm."""
        self.bench.matched(self._commands)
        self._commands.publish(self._command(string=name))
        self.bench.until(lambda: self.states[-1].is_homed and not self.states[-1].is_busy)

    def refused(self, name: str) -> None:
        """The operator's service is refused, because no stop would be heard."""
        answer = self.bench.until(
            lambda: "hold" in (given := self.bench.call(f"/arm_node/{name}")).message and given
        )
        assert not answer.success

    def ready(self) -> None:
        """The arm is homed and armed, as an operator does both."""
        call, until = self.bench.call, self.bench.until
        if not (self.states and self.states[-1].is_homed):
            until(lambda: call("/arm_node/home").success)
            until(lambda: self.states[-1].is_homed and not self.states[-1].is_busy)
        until(lambda: call("/arm_node/arm").success)
        until(lambda: self.reports[-1].ready and not self.reports[-1].moving)

    def go(self, dx: float) -> None:
        """Let a step begin, and wait until the arm is under way."""
        self.bench.matched(self._plans)
        begin = self.tip()
        plan = self._plan(episode=1, feasible=True, action=[dx, 0.0])
        plan.header.stamp = self.poses[-1].header.stamp
        self.answers.clear()
        self._plans.publish(plan)
        self.bench.until(lambda: self.answers)
        assert self.answers[0].outcome == "sent", self.answers[0].reason
        self.bench.until(lambda: math.dist(begin, self.tip()) > 0.001)

    def rest(self) -> tuple[float, float]:
        """Where the arm is after more time than any step takes."""
        time.sleep(2.0)
        return self.tip()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    yield from opened()


@pytest.fixture(scope="module")
def deaf(bench: Bench) -> Iterator[Robot]:
    """An arm without `hold`; a recorder and the bench subscribe to `hold`, and stop nothing."""
    from std_msgs.msg import Empty

    robot = Robot(bench)
    bench.collect(Empty, "PSM1/hold")
    with bench.start("-c", DEAF, real_time_factor=SLOW):
        bench.until(lambda: robot.poses and robot.states)
        yield robot


def test_an_arm_without_hold_is_refused_though_a_recorder_hears_hold(deaf: Robot) -> None:
    """Members of this class: no subscriber at all, a recorder, and a monitor such as this bench."""
    with deaf.bench.start("dvrk_cable_env.arm.arm_node", **PATIENT):
        deaf.refused("home")
        assert [state.state for state in deaf.states] == ["DISABLED"], "nothing was sent"
        deaf.command("home")
        deaf.refused("arm")


def test_an_arm_without_hold_is_stopped_otherwise_after_a_trial(deaf: Robot) -> None:
    bench = deaf.bench
    with bench.start("dvrk_cable_env.arm.arm_node", guards__require_hold=False, **PATIENT) as node:
        deaf.ready()
        names = [state.state for state in deaf.states]
        assert "PAUSED" in names and names[-1] == "ENABLED", "tried before anything moved"
        deaf.go(STEP)
        asked = deaf.tip()
        answer = bench.call("/arm_node/stop")
        gone = math.dist(asked, deaf.rest())
        assert answer.success, answer.message
        assert answer.message.startswith("at rest after")
        assert gone < 0.005, "of 13 mm that were left"
        assert deaf.states[-1].state == "PAUSED"
        assert "stopped by the operator" in deaf.reports[-1].reason
        deaf.ready()
        deaf.go(-STEP)
        asked = deaf.tip()
        node.send(signal.SIGTERM)
        assert node.wait() == 0
        assert math.dist(asked, deaf.rest()) < 0.005
        assert "ended: at rest after" in node.output


@pytest.fixture
def stubborn() -> Iterator[Robot]:
    """An arm that hears `hold` and goes on, in a graph of its own."""
    for bench in opened():
        robot = Robot(bench)
        with bench.start("-c", STUBBORN, real_time_factor=SLOW):
            until(lambda robot=robot: robot.poses and robot.states)
            yield robot


def test_a_stop_that_the_arm_hears_and_does_not_obey_is_not_called_a_stop(stubborn: Robot) -> None:
    with stubborn.bench.start("dvrk_cable_env.arm.arm_node", **PATIENT):
        stubborn.ready()
        stubborn.go(STEP)
        answer = stubborn.bench.call("/arm_node/stop")
        assert not answer.success
        assert "NOT STOPPED: the arm went on by" in answer.message
        assert "use the robot's emergency stop" in answer.message
        until(lambda: answer.message in stubborn.reports[-1].reason)
