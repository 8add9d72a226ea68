"""How arm_node starts, follows a simulated clock and leaves: each test has its own process."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from rosgraph_msgs.msg import Clock

from ls3_common import qos
from ls3_common.ros import nanoseconds

NODE = "dvrk_cable_env.arm.arm_node"
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1]
)
def test_a_signal_during_a_motion_holds_before_the_process_leaves(
    arm: Any, bench: Any, rig_of: Any, patient: dict, number: signal.Signals
) -> None:
    arm.become(state="ENABLED", is_homed=True, is_busy=False)
    with bench.start(NODE, **patient) as child:
        rig = rig_of(child)
        rig.arm_it()
        rig.arm.duration = 30.0
        assert rig.plan(0.01, 0.0).outcome == "sent"
        bench.until(lambda: rig.arm.is_busy)
        holds = rig.arm.holds
        child.send(number)
        assert child.wait(timeout=10.0) == 0
        bench.until(lambda: rig.arm.holds > holds)
        assert not rig.arm.is_busy, "the hold reached the arm"


def test_an_exception_in_the_node_holds_before_the_process_leaves(
    arm: Any, bench: Any, rig_of: Any
) -> None:
    """A bug is put into the callback of a plan; what the process does then is real."""
    program = (
        "import dvrk_cable_env.arm.arm_node as module\n"
        "def broken(self, request, now): raise RuntimeError('a bug')\n"
        "module.ArmController.execute = broken\n"
        "module.main()\n"
    )
    arm.become(state="ENABLED", is_homed=True, is_busy=False)
    holds = arm.holds
    with bench.start("-c", program) as child:
        rig = rig_of(child)
        rig.arm_it()
        assert arm.holds == holds
        with pytest.raises(AssertionError, match="in vain"):
            rig.plan(0.01, 0.0, patience=1.0)
        assert child.wait(timeout=10.0) != 0
        bench.until(lambda: arm.holds > holds)


def test_without_auto_enable_the_arm_is_left_as_it_is(
    arm: Any, bench: Any, rig_of: Any, patient: dict
) -> None:
    arm.become(state="DISABLED", is_homed=False, is_busy=False)
    arm.commands.clear()
    arm.moves.clear()
    with bench.start(NODE, **patient) as child:
        rig = rig_of(child)
        rig.not_ready("the arm is DISABLED, not ENABLED")
        assert rig.plan(0.01, 0.0).outcome == "refused"
        bench.until(lambda: "DISABLED" in bench.call("/arm_node/arm").message)
        assert not bench.call("/arm_node/arm").success
        assert arm.commands == [] and arm.moves == []


def test_simulated_time_starts_at_zero_and_may_jump_back(
    arm: Any, bench: Any, rig_of: Any, patient: dict
) -> None:
    clock = bench.node.create_publisher(Clock, "/clock", qos.RELIABLE)

    def tick(seconds: float) -> None:
        arm.simulated_time = round(seconds * SECOND)
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(arm.simulated_time, SECOND)
        clock.publish(message)

    arm.simulated_time = 0
    arm.become(state="ENABLED", is_homed=True, is_busy=False, duration=0.05)
    try:
        with bench.start(NODE, use_sim_time=True, auto_enable=True, **patient) as child:
            rig = rig_of(child)
            bench.matched(clock)
            rig.not_ready("no valid clock yet")
            assert rig.plan(0.01, 0.0, image=SECOND).outcome == "refused"
            tick(50.0)
            rig.ready()
            moves = len(arm.moves)
            assert rig.plan(0.01, 0.0).outcome == "sent"
            bench.until(lambda: len(arm.moves) > moves and not arm.is_busy)
            tick(50.1)
            assert nanoseconds(rig.ready().header.stamp) >= 50 * SECOND
            late = arm.simulated_time
            tick(5.0)
            bench.until(lambda: nanoseconds(rig.states[-1].header.stamp) == 5 * SECOND)
            rig.ready()
            assert "in the future" in rig.plan(0.01, 0.0, image=late).reason
            assert rig.plan(0.01, 0.0).outcome == "sent"
    finally:
        arm.simulated_time = None


def test_a_wrong_parameter_is_named_without_a_traceback(bench: Any) -> None:
    with bench.start(NODE, limits__max_stp=0.01) as child:
        assert child.wait() == 2
    assert "unknown key 'limits.max_stp'" in child.output and "limits.max_step" in child.output
    assert "Traceback" not in child.output
