"""The simulated arm: joint commands, jaw, instrument, speed ratio and tracking."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ls3_sim.kinematics import SHAFT, TIP, WRIST, TipPose, inverse, pose_of, tip_jacobian
from ls3_sim.psm import Psm

pytestmark = pytest.mark.background

HOME = TipPose((-0.09, 0.005, -0.12))
TICK = 0.01


@pytest.fixture
def psm():
    """An arm that is enabled and homed."""
    arm = Psm(HOME, 0.05, homing_time=0.0)
    assert arm.state_command("home") == ""
    run(arm, TICK)
    return arm


def run(arm, seconds):
    """Let the tool follow its setpoint perfectly."""
    for _ in range(round(seconds / TICK)):
        arm.advance(TICK)
        arm.measure(arm.setpoint.position, TICK)


def test_move_jp_goes_to_joints_that_no_pose_tells_apart(psm):
    goal = np.array([-0.5, 0.1, 0.14, 4.2, 0.3, -0.2])  # a roll beyond half a turn
    assert psm.move_jp(goal) == ""
    assert psm.is_busy
    while psm.is_busy:
        run(psm, TICK)
    assert psm.joints == pytest.approx(goal, abs=1e-12)
    assert psm.measured_joints == pytest.approx(goal, abs=1e-9)
    assert psm.move_cp(psm.setpoint) == ""
    run(psm, TICK)
    assert psm.joints == pytest.approx(goal, abs=1e-9)


def test_the_way_of_move_jp_is_not_that_of_move_cp(psm):
    """Halfway in joints the tip is on a circle about the remote centre."""
    goal = inverse(TipPose((0.09, 0.005, -0.12)))  # from one side to the other
    psm.move_jp(goal)
    deepest = 0.0
    while psm.is_busy:
        run(psm, TICK)
        deepest = min(deepest, psm.setpoint.position[2])
    assert deepest == pytest.approx(-goal[2] + SHAFT - WRIST - TIP, abs=1e-3)
    assert psm.setpoint.position[2] == pytest.approx(-0.12, abs=1e-3)


def test_relative_commands_count_from_the_setpoint(psm):
    before = psm.joints
    assert psm.move_jp([0.1, 0, 0, 0, 0, 0], relative=True) == ""
    run(psm, 0.5)
    assert psm.servo_jp([0, 0, 0.01, 0, 0, 0], relative=True) == ""
    assert not psm.is_busy
    assert psm.joints - before == pytest.approx([0.1, 0, 0.01, 0, 0, 0])


def test_a_servo_of_the_joints_is_never_busy_and_ends_a_move(psm):
    goal = psm.joints + 0.01
    psm.move_cp(TipPose((0.0, 0.005, -0.12)))
    assert psm.servo_jp(goal) == ""
    assert not psm.is_busy
    assert psm.joints == pytest.approx(goal)


@pytest.mark.parametrize(
    ("joints", "reason"),
    [
        ((0, 0, 0.12, 0, 0), "5 joint positions, not 6"),
        ((math.nan, 0, 0.12, 0, 0, 0), "not finite"),
        ((0, 0, 0.3, 0, 0, 0), "insertion would leave its limits"),
        ((0, 0, 0.12, 0, 0, -1.5), "wrist_yaw would leave its limits"),
    ],
)
def test_joints_out_of_reach_are_refused_and_nothing_moves(psm, joints, reason):
    before = psm.joints
    assert reason in psm.move_jp(joints)
    assert reason in psm.servo_jp(joints)
    assert not psm.is_busy
    assert (psm.joints == before).all()


def test_joint_and_jaw_commands_need_an_arm_that_is_enabled_and_homed():
    arm = Psm(HOME, 0.05, homing_time=0.5)
    commands = (
        lambda: arm.move_jp(arm.joints),
        lambda: arm.servo_jp(arm.joints),
        lambda: arm.move_jaw([0.5]),
        lambda: arm.servo_jaw([0.5]),
    )
    assert all("DISABLED" in command() for command in commands)
    assert "DISABLED" in arm.free()
    arm.state_command("enable")
    assert all("not homed" in command() for command in commands)


def test_the_jaw_opens_and_closes_beside_the_arm(psm):
    psm.move_cp(TipPose((-0.08, 0.005, -0.12)))  # 0.2 s
    assert psm.move_jaw([math.radians(60)]) == ""
    run(psm, 0.3)
    assert psm.setpoint.position[0] == -0.08
    assert psm.is_busy
    assert 0 < psm.jaw[0] < math.radians(60)
    assert 0 < psm.jaw_velocity[0] <= 3.0
    run(psm, 0.3)
    assert not psm.is_busy
    assert psm.jaw == pytest.approx(math.radians(60))
    assert psm.servo_jaw([math.radians(-20)]) == ""
    assert not psm.is_busy
    assert psm.jaw == pytest.approx(math.radians(-20))


@pytest.mark.parametrize("angle", [[], [0.1, 0.2], [math.nan], [-0.5], [1.5]])
def test_angles_that_the_jaw_cannot_have_are_refused(psm, angle):
    assert "the jaw" in psm.move_jaw(angle)
    assert "the jaw" in psm.servo_jaw(angle)
    assert psm.jaw == 0.0


def test_hold_ends_the_jaws_motion_too(psm):
    psm.move_jaw([1.0])
    run(psm, 0.1)
    psm.hold()
    held = psm.jaw.copy()
    run(psm, 0.2)
    assert not psm.is_busy
    assert psm.jaw == held
    assert psm.jaw_velocity == 0


@pytest.mark.parametrize("ratio", [0.5, 0.1])
def test_the_ratio_slows_every_move_down(psm, ratio):
    assert psm.set_ratio(ratio) == ""
    for command in (
        lambda: psm.move_cp(TipPose((-0.08, 0.005, -0.12))),  # 0.2 s
        lambda: psm.move_jp(np.array([2 / 15, 0, 0, 0, 0, 0]), relative=True),
        lambda: psm.move_jaw(psm.jaw + 0.4),
    ):
        assert command() == ""
        run(psm, 0.2 / ratio - 0.02)
        assert psm.is_busy
        run(psm, 0.04)
        assert not psm.is_busy


@pytest.mark.parametrize("ratio", [0.0, -0.5, 1.01, math.nan])
def test_a_ratio_must_be_in_its_range(psm, ratio):
    assert "(0, 1]" in psm.set_ratio(ratio)
    assert psm.ratio == 1.0


def test_without_an_instrument_there_is_no_tip_to_command(psm):
    psm.set_tool_present(False)
    assert "no instrument" in psm.move_cp(HOME)
    assert "no instrument" in psm.servo_cp(HOME)
    assert psm.move_jp(psm.joints) == ""
    psm.set_tool_present(True)
    assert psm.move_cp(HOME) == ""


def test_velocity_is_that_of_the_measured_tip(psm):
    psm.move_cp(TipPose((0.0, 0.005, -0.12)))
    run(psm, 0.5)
    velocity = tip_jacobian(psm.measured_joints) @ psm.velocity
    assert velocity[:3] == pytest.approx([0.05, 0, 0], abs=1e-3)
    assert velocity[3:] == pytest.approx([0, 0, 0], abs=1e-3)
    psm.hold()
    run(psm, 2 * TICK)
    assert psm.velocity == pytest.approx(np.zeros(6), abs=1e-9)
    psm.place(TipPose((0.0, 0.1, -0.12)))
    run(psm, TICK)
    assert psm.velocity == pytest.approx(np.zeros(6), abs=1e-9)


TOLERANCES = pytest.mark.parametrize(
    ("joint", "tolerance"), [(0, 0.5), (1, 0.5), (2, 0.05)], ids=["yaw", "pitch", "insertion"]
)
"""Of the real arm's control of tracking errors: rad, insertion m."""


@TOLERANCES
@pytest.mark.parametrize("kind", ["servo_jp", "servo_jr", "servo_cp"])
def test_a_servo_that_jumps_by_more_than_the_tolerance_is_a_fault(joint, tolerance, kind):
    """Before the tool can follow: the real arm compares with where the joints are."""
    straight = inverse(TipPose((0.0, 0.0, -0.12)))
    for share, state in ((0.98, "ENABLED"), (-0.98, "ENABLED"), (1.02, "FAULT")):
        arm = Psm(pose_of(straight), 0.05, homing_time=0.0)
        arm.state_command("home")
        jump = share * tolerance * np.eye(6)[joint]
        told = {
            "servo_jp": lambda arm=arm, jump=jump: arm.servo_jp(straight + jump),
            "servo_jr": lambda arm=arm, jump=jump: arm.servo_jp(jump, relative=True),
            "servo_cp": lambda arm=arm, jump=jump: arm.servo_cp(pose_of(straight + jump)),
        }[kind]()
        assert arm.state == state
        assert ("tracking tolerance" in told) == (state == "FAULT")
        stays = arm.joints == pytest.approx(straight)
        assert stays == (state == "FAULT"), "without power it stays where it is"


@TOLERANCES
def test_a_joint_that_lags_by_more_than_its_tolerance_is_a_fault(joint, tolerance):
    arm = Psm(TipPose((0.0, 0.0, -0.12)), 0.05, homing_time=0.0)
    arm.state_command("home")
    joints = arm.joints
    for share, state in ((0.8, "ENABLED"), (1.2, "FAULT")):
        lagging = pose_of(joints - share * tolerance * np.eye(6)[joint]).position
        arm.advance(TICK)
        arm.measure(lagging, TICK)
        assert arm.state == state
    assert arm.setpoint.position == pytest.approx(lagging)


def test_free_leaves_the_arm_where_it_really_is(psm):
    psm.servo_cp(TipPose((-0.08, 0.005, -0.12)))
    psm.advance(TICK)
    psm.measure((-0.085, 0.005, -0.12), TICK)
    assert psm.free() == ""
    assert psm.setpoint.position == (-0.085, 0.005, -0.12)
    assert psm.state == "ENABLED"
