"""The operator's services of arm_node, its pedal, its console, and its word on /diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from ls3_common import qos

NODE = "dvrk_cable_env.arm.arm_node"
PEDAL, FOLLOWING = "/footpedals/coag", "/MTMR_PSM1/following"


class Operator:
    """A foot on the pedal and hands at the console, for one arm_node."""

    def __init__(self, rig: Any) -> None:
        self.rig, self._node = rig, rig.bench.node
        self.down = True
        self._pedal = self._node.create_publisher(Joy, PEDAL, qos.RELIABLE)
        self.console = self._node.create_publisher(Bool, FOLLOWING, qos.LATCHED)
        self._foot = self._node.create_timer(0.05, self._tread)
        self.console.publish(Bool(data=False))

    def _tread(self) -> None:
        self._pedal.publish(Joy(buttons=[int(self.down)]))

    def lift(self) -> None:
        """No message of the pedal comes any more."""
        self.rig.bench.destroy(self._foot)

    def leave(self) -> None:
        self.lift()
        self.rig.bench.destroy(self._pedal, self.console)


@pytest.fixture
def operator(arm: Any, bench: Any, rig_of: Any, patient: dict) -> Iterator[Operator]:
    """An armed arm_node with a pedal and a console, the pedal down."""
    parameters = {
        "guards__pedal_topic": PEDAL,
        "guards__pedal_max_age": 1.0,
        "guards__teleop_topics": [FOLLOWING],
    }
    arm.become(state="ENABLED", is_homed=True, is_busy=False, duration=0.05)
    with bench.start(NODE, **patient, **parameters) as child:
        operator = Operator(rig_of(child))
        operator.rig.arm_it()
        yield operator
        operator.leave()
        assert child.runs, "arm_node died"


def in_motion(operator: Operator) -> Any:
    """The rig, with a motion under way that takes longer than any test."""
    rig = operator.rig
    rig.arm.duration = 30.0
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.bench.until(lambda: rig.arm.is_busy)
    return rig


def test_the_pedal_released_during_a_motion_holds_and_latches(operator: Operator) -> None:
    rig = in_motion(operator)
    operator.down = False
    rig.bench.until(lambda: not rig.arm.is_busy)
    operator.down = True
    rig.not_ready("during a motion: the dead-man pedal is not pressed")
    assert "pedal" in rig.plan(0.01, 0.0).reason
    rig.arm_it()


def test_a_pedal_that_falls_silent_holds_and_latches(operator: Operator) -> None:
    rig = in_motion(operator)
    operator.lift()
    rig.bench.until(lambda: not rig.arm.is_busy)
    rig.not_ready("no message from the dead-man pedal for 1 s")


def test_teleoperation_that_follows_stops_the_plans_and_is_not_held(operator: Operator) -> None:
    rig = operator.rig
    operator.console.publish(Bool(data=True))
    rig.not_ready("teleoperation drives the arm (/MTMR_PSM1/following is true)")
    holds = rig.arm.holds
    assert "teleoperation" in rig.plan(0.01, 0.0).reason
    assert "teleoperation" in rig.bench.call("/arm_node/arm").message
    operator.console.publish(Bool(data=False))
    rig.arm_it()
    assert rig.arm.holds == holds
    assert rig.plan(0.01, 0.0).outcome == "sent"


def test_another_commander_is_refused_by_name(operator: Operator) -> None:
    rig = operator.rig
    other = rig.bench.node.create_publisher(PoseStamped, "PSM1/servo_cp", qos.RELIABLE)
    rig.not_ready("the arm has another commander: /bench (PSM1/servo_cp)")
    assert rig.plan(0.01, 0.0).outcome == "refused"
    rig.bench.destroy(other)
    rig.arm_it()


def test_pause_and_disarm_and_reset(operator: Operator) -> None:
    rig = operator.rig
    rig.arm.duration = 0.5
    assert rig.plan(0.01, 0.0).outcome == "sent"
    assert rig.bench.call("/arm_node/pause").success
    x = rig.arm.moves[-1][0]
    rig.bench.until(lambda: rig.arm.position[0] == x)
    assert "paused by the operator" in rig.plan(0.01, 0.0).reason
    rig.arm_it()
    in_motion(operator)
    assert "moving" in rig.bench.call("/arm_node/reset").message
    assert rig.bench.call("/arm_node/disarm").success
    rig.bench.until(lambda: not rig.arm.is_busy)
    rig.not_ready("disarmed by the operator")
    rig.bench.until(lambda: rig.bench.call("/arm_node/reset").success)
    rig.not_ready("not armed")
    rig.arm_it()


def test_home_enables_and_homes_and_leaves_it_disarmed(operator: Operator) -> None:
    rig = operator.rig
    rig.arm.become(state="DISABLED", is_homed=False)
    rig.not_ready("the arm is DISABLED")
    rig.arm.commands.clear()
    rig.bench.until(lambda: rig.bench.call("/arm_node/home").success)
    rig.bench.until(lambda: rig.arm.commands == ["enable", "home"])
    rig.not_ready("not armed")
    rig.arm_it()


def test_diagnostics_say_what_was_refused_and_what_stands(operator: Operator) -> None:
    rig = operator.rig
    arrays = rig.bench.collect(DiagnosticArray, "/diagnostics")

    def newest() -> Any:
        mine = [s for a in arrays for s in a.status if s.name == "arm_node"]
        return mine[-1] if mine else None

    rig.bench.until(lambda: (last := newest()) and last.message == "ok")
    rig.plan(5.0, 0.0)
    text = "plan refused: a step of 5 m, allowed 0.015 m"
    rig.bench.until(lambda: newest().message == text)
    assert {pair.key: pair.value for pair in newest().values}[text] == "1"
    rig.bench.call("/arm_node/stop")
    rig.bench.until(lambda: newest().message.startswith("not ready: stopped by the operator"))
    assert newest().level == b"\x01"
    rig.arm_it()
    assert rig.plan(0.0, 0.001).outcome == "sent"
    rig.bench.until(lambda: newest().message == "ok")
