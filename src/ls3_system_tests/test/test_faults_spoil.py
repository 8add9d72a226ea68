"""The injector's spoiled messages: each fault does what its name says, and none is without effect.

The last test asks a running injector.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import Image
from std_msgs.msg import Empty, String

from crtk_msgs.msg import OperatingState, StringStamped
from dvrk_cable_env.arm.limits import ArmLimits
from ls3_common import qos
from ls3_common.images import to_array
from ls3_common.ros import nanoseconds, to_time
from ls3_interfaces.msg import Latent, Plan
from ls3_system_tests.faults import spoil
from ls3_system_tests.faults.kinds import INJECTIONS

pytestmark = pytest.mark.background

NOW = 100_000_000_000


def frame(stamp: int = NOW) -> Any:
    data = bytes(range(1, 49)) * 1
    message = Image(height=4, width=4, encoding="rgb8", step=12, data=data)
    message.header.stamp = to_time(stamp)
    return message


def stamped(message: Any) -> Any:
    message.header.stamp = to_time(NOW)
    return message


def passed(name: str) -> dict[str, list[Any]]:
    """What becomes of one good message of every kind while a fault is active."""
    active = {name}
    plan = Plan(feasible=True, action=[0.001, 0.002])
    pose = stamped(PoseStamped())
    pose.header.frame_id = "PSM1_base"
    return {
        "frame": spoil.FrameSpoiler().pass_on(active, frame()),
        "latent": spoil.latent(active, Latent(mean=[0.0] * 32, std=[1.0] * 32)),
        "plan": spoil.plan(active, plan),
        "state": spoil.operating_state(active, OperatingState(state="DISABLED")),
        "pose": spoil.pose(active, copy.deepcopy(pose)),
        "local": spoil.local_pose(active, copy.deepcopy(pose)),
        "move": spoil.move(active, PoseStamped()),
        "hold": spoil.hold(active, Empty()),
    }


ELSEWHERE = {"camera_frozen", "hold_unheard", *spoil.CURES}
"""Faults that no single message shows."""


@pytest.mark.parametrize("name", sorted(set(INJECTIONS) - ELSEWHERE))
def test_every_fault_changes_the_messages_of_its_own_kind_only(name: str) -> None:
    good, bad = passed("none"), passed(name)
    changed = {kind for kind in good if repr(good[kind]) != repr(bad[kind])}
    robot = {"state", "pose", "local", "move"}
    of = {"camera": {"frame"}, "frames": {"frame"}, "robot": robot, "ecm": {"pose"}}
    kind = name.partition("_")[0]
    assert changed
    assert changed <= of.get(kind, {kind})


def test_without_a_fault_all_passes_at_once_and_once() -> None:
    for messages in passed("none").values():
        assert len(messages) == 1 and messages[0][0] == 0.0


def test_frames() -> None:
    frames = spoil.FrameSpoiler()
    first, second = frame(1), frame(2)
    assert frames.pass_on({"camera_frozen"}, first) == [(0.0, first)]
    assert frames.pass_on({"camera_frozen"}, second) == [(0.0, first)], "the first again"
    assert frames.pass_on(set(), second) == [(0.0, second)]
    ((_, both),) = frames.pass_on({"camera_frozen", "frame_black"}, frame())
    assert not to_array(both).any(), "a black one freezes black"
    assert frames.pass_on({"camera_frozen", "frame_black"}, frame()) == [(0.0, both)]
    frames.pass_on(set(), second)
    assert frames.pass_on({"frames_swapped"}, first) == []
    assert [m for _, m in frames.pass_on({"frames_swapped"}, second)] == [second, first]
    for name in ("frame_encoding", "frame_cut"):
        ((_, broken),) = spoil.FrameSpoiler().pass_on({name}, frame())
        with pytest.raises(ValueError, match="image"):
            to_array(broken)
    ((_, black),) = spoil.FrameSpoiler().pass_on({"frame_black"}, frame())
    assert not to_array(black).any()
    ((_, small),) = spoil.FrameSpoiler().pass_on({"frame_size"}, frame())
    assert to_array(small).shape == (7, 5, 3)


@pytest.mark.parametrize(("name", "sign"), [("past", -1), ("future", 1)])
def test_stamps_jump(name: str, sign: int) -> None:
    ((_, shifted),) = spoil.FrameSpoiler().pass_on({f"frame_{name}"}, frame())
    assert nanoseconds(shifted.header.stamp) == NOW + sign * spoil.FAR_NS
    ((_, pose),) = spoil.pose({f"robot_{name}"}, stamped(PoseStamped()))
    assert nanoseconds(pose.header.stamp) == NOW + sign * spoil.FAR_NS


def test_a_camera_arm_moves_a_pose_but_not_the_pose_in_the_arm_base() -> None:
    def heights(*active: str) -> list[float]:
        messages = (make(active, stamped(PoseStamped())) for make in (spoil.pose, spoil.local_pose))
        return [message.pose.position.z for ((_, message),) in messages]

    limits = ArmLimits()
    assert heights("ecm_moved") == [spoil.ECM_M, 0.0]
    assert heights("robot_drifts") == [spoil.DRIFT_M] * 2
    assert limits.max_base_shift < spoil.ECM_M < limits.max_height_change < spoil.DRIFT_M


def test_plans() -> None:
    ((delay, _),) = spoil.plan({"plan_late"}, Plan())
    assert delay == spoil.LATE_S
    ((_, outward),) = spoil.plan({"plan_outward"}, Plan(action=[0.0, 0.0]))
    assert outward.feasible and list(outward.action) == pytest.approx([-0.015, -0.015])
    ((_, broken),) = spoil.plan({"plan_nan"}, Plan(action=[0.0, 0.0]))
    assert math.isnan(broken.action[0])
    assert len(spoil.plan({"plan_repeated"}, Plan())) == 6


def test_a_running_injector_passes_on_spoils_and_refuses_what_it_does_not_know(bench: Any) -> None:
    bench.start("ls3_system_tests.faults.injector")
    plans = bench.collect(Plan, "plan")
    states = bench.collect(OperatingState, "PSM1/operating_state", qos.LATCHED)
    commands = bench.collect(StringStamped, "PSM1/state_command")
    planner = bench.publisher(Plan, "before/plan")
    robot = bench.publisher(OperatingState, "sim/PSM1/operating_state", qos.LATCHED)
    client = bench.node.create_client(SetParameters, "/fault_injector/set_parameters")
    bench.until(lambda: bench.node.count_publishers("/plan"))

    def inject(*names: str) -> bool:
        value = ParameterValue(
            type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(names)
        )
        request = SetParameters.Request(parameters=[Parameter(name="active", value=value)])
        return bench.ask(client, request).results[0].successful

    robot.publish(OperatingState(state="ENABLED", is_homed=True))
    bench.until(lambda: states and states[-1].state == "ENABLED")
    bench.until(lambda: planner.publish(Plan(step=1, action=[0.5, 0.25])) or plans)
    assert list(plans[-1].action) == [0.5, 0.25]
    assert inject("plan_nan", "robot_fault")
    bench.until(lambda: commands and commands[-1].string == "disable")
    robot.publish(OperatingState(state="DISABLED"))
    bench.until(lambda: states[-1].state == "FAULT")
    planner.publish(Plan(step=2, action=[0.5, 0.25]))
    bench.until(lambda: plans[-1].step == 2)
    assert math.isnan(plans[-1].action[0])
    assert not inject("plan_of_my_own")

    holds, goals = (
        bench.collect(Empty, "sim/PSM1/hold"),
        bench.publisher(PoseStamped, "PSM1/move_cp"),
    )
    errors, arm = bench.collect(String, "PSM1/error"), bench.publisher(Empty, "PSM1/hold")
    assert inject("hold_unheard")
    bench.until(lambda: arm.get_subscription_count() == 0)
    assert inject()
    bench.until(lambda: arm.publish(Empty()) or holds)
    assert inject("hold_ignored", "robot_rejects_moves")
    heard = len(holds)
    bench.until(lambda: goals.publish(PoseStamped()) or arm.publish(Empty()) or errors)
    assert errors[-1].data == spoil.REJECTION and len(holds) == heard
    assert inject()
    bench.until(lambda: states[-1].state == "DISABLED"), "what was changed is told as it is"
