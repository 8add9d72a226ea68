"""What an arm does and says besides its state: arm_node as a process hears it and holds the arm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from std_msgs.msg import Float64, String

from crtk_msgs.msg import StringStamped
from ls3_common import qos

NODE = "dvrk_cable_env.arm.arm_node"
EFFORTS = [2.0, 2.0, 10.0, 0.2, 0.2, 0.2]


@pytest.fixture(scope="module")
def running(arm: Any, bench: Any, patient: dict) -> Iterator[Any]:
    """An arm_node that watches efforts and sends a speed ratio."""
    from crtk_rig import Rig

    arm.become(state="ENABLED", is_homed=True)
    ratios = bench.node.create_publisher(Float64, "PSM1/trajectory_j/ratio", qos.LATCHED)
    asked: list[float] = []

    def take(message: Float64) -> None:
        asked.append(message.data)
        ratios.publish(message)

    bench.node.create_subscription(Float64, "PSM1/trajectory_j/set_ratio", take, qos.RELIABLE)
    ratios.publish(Float64(data=1.0))
    parameters = {"limits__max_effort": EFFORTS, "guards__speed_ratio": 0.2}
    with bench.start(NODE, **patient, **parameters) as child:
        rig = Rig(arm, child)
        rig.not_ready("not confirmed the speed ratio 0.2")
        assert asked == [], "nothing is sent before ~/arm"
        arm_it, rig.ratios = rig.arm_it, ratios

        def answered() -> None:
            before = len(asked)
            arm_it()
            bench.until(lambda: len(asked) > before)

        rig.arm_it = answered
        rig.arm_it()
        assert set(asked) == {0.2}
        yield rig


def test_errors_of_height_do_not_add_up_and_a_large_one_latches(rig: Any) -> None:
    height = rig.arm.position[2]
    rig.arm.climb = 0.0003
    for step in range(8):
        assert rig.plan(0.005 * (-1) ** step, 0.0).outcome == "sent"
        rig.ready()
    assert rig.arm.position[2] == pytest.approx(height + 0.0003, abs=1e-6)
    assert [move[2] for move in rig.arm.moves] == pytest.approx([height] * 8)
    rig.arm.climb = 0.0025
    rig.plan(0.005, 0.0)
    rig.not_ready("left its height at ~/arm by more than 2 mm")
    assert "height" in rig.plan(0.005, 0.0).reason
    rig.arm_it()


def test_a_camera_arm_that_moves_the_base_latches(rig: Any) -> None:
    holds = rig.arm.holds
    rig.arm.base = [0.0, 0.0011, 0.0]
    rig.not_ready("has moved against the arm's base by more than 1 mm or 0.5 degrees")
    rig.bench.until(lambda: rig.arm.holds > holds)
    assert "against the arm's base" in rig.plan(0.001, 0.0).reason, "latched"
    rig.arm_it()
    assert rig.plan(0.001, 0.0).outcome == "sent", "the operator knows where the base is now"
    rig.ready()


def test_an_arm_that_presses_on_the_table_latches(rig: Any) -> None:
    rig.arm.efforts = [0.0, 0.0, -11.0, 0.0, 0.0, 0.0]
    rig.not_ready("the effort of joint insertion is above 10")
    assert "effort" in rig.bench.call("/arm_node/arm").message


def test_a_speed_ratio_that_somebody_changes_latches(rig: Any) -> None:
    rig.ratios.publish(Float64(data=1.0))
    rig.not_ready("the speed ratio of the arm was changed from 0.2")


@pytest.mark.parametrize("level", ["error", "warning"])
@pytest.mark.parametrize("kind", [String, StringStamped])
def test_a_rejected_motion_ends_at_once_with_the_arms_words(
    rig: Any, kind: type, level: str
) -> None:
    arm, bench = rig.arm, rig.bench
    text = f"PSM1: goal out of reach, {kind.__name__}"
    arm.ignores_moves = True
    says = bench.publisher(kind, f"PSM1/{level}")  # arm_node subscribes once the type is known
    assert rig.plan(0.01, 0.0).outcome == "sent"
    bench.until(lambda: arm.moves)
    says.publish(kind(string=text) if kind is StringStamped else kind(data=text))
    rig.not_ready(f"during a motion the arm reports the {level} '{text}'")
    bench.destroy(says)
