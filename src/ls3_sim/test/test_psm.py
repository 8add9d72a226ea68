"""The simulated arm: CRTK states, motions of the tip and what it refuses."""

from __future__ import annotations

import math

import pytest

from ls3_sim.kinematics import DOWN, TipPose, inverse
from ls3_sim.pacing import Pacer
from ls3_sim.psm import Psm
from ls3_sim.reach import refuse_pose

pytestmark = pytest.mark.background

HOME = TipPose((-0.09, 0.005, -0.12))
SPEED = 0.05


@pytest.fixture
def psm():
    """An arm that is enabled and homed."""
    arm = Psm(HOME, SPEED, homing_time=0.5)
    assert arm.state_command("enable") == ""
    assert arm.state_command("home") == ""
    run(arm, 0.51)
    assert (arm.state, arm.is_homed, arm.is_busy) == ("ENABLED", True, False)
    return arm


def run(arm, seconds, tick=0.01):
    """Let the tool follow its setpoint perfectly."""
    for _ in range(round(seconds / tick)):
        arm.advance(tick)
        arm.measure(arm.setpoint.position, tick)


def at(x, y, z=-0.12, orientation=DOWN):
    return TipPose((x, y, z), orientation)


def test_a_move_is_straight_at_speed_and_busy_until_it_arrives(psm):
    goal = at(-0.09 + 0.03, 0.005 + 0.04)  # 5 cm: one second
    assert psm.move_cp(goal) == ""
    assert psm.is_busy
    run(psm, 0.5)
    assert psm.setpoint.position == pytest.approx((-0.075, 0.025, -0.12))
    assert psm.is_busy
    run(psm, 0.49)
    assert psm.is_busy
    run(psm, 0.02)
    assert not psm.is_busy
    assert psm.setpoint == goal


def test_a_move_to_where_it_is_ends_with_the_next_tick(psm):
    psm.move_cp(psm.setpoint)
    assert psm.is_busy
    psm.advance(0.01)
    assert not psm.is_busy


def test_a_new_move_replaces_the_old_from_where_it_has_come_to(psm):
    psm.move_cp(at(0.0, 0.005))
    run(psm, 0.2)
    psm.move_cp(at(-0.08, 0.105))
    run(psm, 0.01)
    assert psm.setpoint.position == pytest.approx((-0.08, 0.0055, -0.12), abs=1e-6)


def test_hold_ends_a_move_where_it_is(psm):
    psm.move_cp(at(0.0, 0.005))
    run(psm, 0.2)
    psm.hold()
    assert not psm.is_busy
    held = psm.setpoint
    run(psm, 0.5)
    assert psm.setpoint == held
    assert held.position[0] == pytest.approx(-0.08)


def test_a_servo_is_never_busy_and_ends_a_move(psm):
    psm.move_cp(at(0.0, 0.005))
    assert psm.servo_cp(at(-0.085, 0.005)) == ""
    assert not psm.is_busy
    assert psm.setpoint.position[0] == -0.085


def test_the_orientation_turns_with_the_move(psm):
    turned = (math.cos(math.pi / 4 + 0.3), math.sin(math.pi / 4 + 0.3), 0.0, 0.0)
    psm.move_cp(at(-0.04, 0.005, orientation=turned))
    run(psm, 0.5)
    between = psm.setpoint.orientation
    assert math.hypot(*between) == pytest.approx(1.0)
    assert math.atan2(between[1], between[0]) == pytest.approx(math.pi / 4 + 0.15, abs=1e-3)


def test_a_turn_on_the_spot_takes_its_time(psm):
    half = math.pi / 4 + 0.3  # 0.6 rad from DOWN, at 1 rad/s
    turned = (math.cos(half), math.sin(half), 0.0, 0.0)
    psm.move_cp(at(*HOME.position, orientation=turned))
    run(psm, 0.59)
    assert psm.is_busy
    run(psm, 0.02)
    assert not psm.is_busy
    assert psm.setpoint.orientation == turned


@pytest.mark.parametrize(
    ("start", "goal", "reason"),
    [
        (at(0.1, 0.0, -0.04), at(-0.1, 0.0, -0.04), "within 0.045 m of the remote centre"),
        (at(0.12, 0.13, -0.05), at(-0.12, 0.13, -0.05), "pitch would leave its limits"),
    ],
)
def test_a_straight_way_between_two_good_places_may_be_bad(start, goal, reason):
    """Of the joint path that the robot takes this is not so."""
    psm = Psm(start, SPEED, homing_time=0.0)
    psm.state_command("home")
    assert refuse_pose(start) == refuse_pose(goal) == ""
    assert "on the straight path" in (told := psm.move_cp(goal))
    assert reason in told
    assert not psm.is_busy
    assert psm.move_jp(inverse(goal)) == ""


NAN = math.nan
BAD = [
    (at(NAN, 0.0), "not finite"),
    (at(0.0, math.inf), "not finite"),
    (at(0.0, 0.0, orientation=(NAN, 0.0, 0.0, 1.0)), "not finite"),
    (at(0.0, 0.0, orientation=(0.0, 0.0, 0.0, 0.0)), "not a unit quaternion"),
    (at(0.0, 0.0, orientation=(1.0, 1.0, 0.0, 0.0)), "not a unit quaternion"),
    (at(0.0, 0.0, -0.03), "of the remote centre"),
    (at(0.0, 0.0, -0.3), "insertion would leave its limits"),
    (at(0.0, 0.2, -0.05), "pitch would leave its limits"),
    (at(0.1, 0.0, 0.05), "yaw would leave its limits"),
    (at(0.0, 0.0, orientation=(0.0, 0.0, 0.0, 1.0)), "would leave its limits"),
]


@pytest.mark.parametrize(("pose", "reason"), BAD)
def test_what_cannot_be_reached_is_refused_and_nothing_moves(psm, pose, reason):
    for command in (psm.move_cp, psm.servo_cp):
        assert reason in command(pose)
    assert not psm.is_busy
    assert psm.setpoint == HOME


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ((), "DISABLED"),
        (("enable",), "not homed"),
        (("home", "pause"), "PAUSED"),
        (("home", "disable"), "DISABLED"),
        (("home", "unhome"), "not homed"),
    ],
)
def test_moves_are_dropped_unless_enabled_and_homed(commands, reason):
    arm = Psm(HOME, SPEED, homing_time=0.1)
    for command in commands:
        assert arm.state_command(command) == ""
        run(arm, 0.2)
    assert reason in arm.move_cp(at(-0.08, 0.005))
    assert reason in arm.servo_cp(at(-0.08, 0.005))
    run(arm, 0.2)
    assert arm.setpoint == HOME


def test_homing_is_busy_and_homed_at_its_end():
    arm = Psm(HOME, SPEED, homing_time=0.5)
    arm.state_command("home")
    assert (arm.state, arm.is_homed, arm.is_busy) == ("ENABLED", False, True)
    run(arm, 0.51)
    assert (arm.state, arm.is_homed, arm.is_busy) == ("ENABLED", True, False)


def test_without_a_homing_time_it_is_homed_at_once():
    arm = Psm(HOME, SPEED, homing_time=0.0)
    arm.state_command("home")
    assert (arm.state, arm.is_homed, arm.is_busy) == ("ENABLED", True, False)
    assert arm.move_cp(at(-0.08, 0.005)) == ""


def test_enable_and_home_do_nothing_to_an_arm_that_is_so(psm):
    psm.move_cp(at(0.0, 0.005))
    for command in ("enable", "home"):
        assert psm.state_command(command) == ""
        assert (psm.state, psm.is_homed, psm.is_moving) == ("ENABLED", True, True)


@pytest.mark.parametrize("command", ["pause", "disable"])
def test_leaving_enabled_ends_a_move(psm, command):
    psm.move_cp(at(0.0, 0.005))
    run(psm, 0.1)
    psm.state_command(command)
    assert not psm.is_busy
    stopped = psm.setpoint
    run(psm, 0.2)
    assert psm.setpoint == stopped


def test_pause_and_resume(psm):
    psm.state_command("pause")
    assert psm.state == "PAUSED"
    assert "does not apply in state PAUSED" in psm.state_command("enable")
    psm.state_command("resume")
    assert psm.move_cp(at(-0.08, 0.005)) == ""


@pytest.mark.parametrize("command", ["dance", "", "resume", "Enable"])
def test_state_commands_that_do_not_apply_are_named(psm, command):
    assert f"'{command}' does not apply in state ENABLED" in psm.state_command(command)
    assert psm.state == "ENABLED"


def test_a_tool_far_from_its_setpoint_is_a_fault_that_enable_clears(psm):
    psm.servo_cp(at(0.0, 0.005))
    psm.measure(HOME.position, 0.01)
    assert psm.state == "FAULT"
    assert psm.setpoint.position == HOME.position
    assert "FAULT" in psm.move_cp(at(-0.08, 0.005))
    assert psm.state_command("enable") == ""
    assert psm.move_cp(at(-0.08, 0.005)) == ""


def test_a_new_scene_puts_the_arm_elsewhere_without_a_motion(psm):
    psm.place(at(0.0, 0.1))
    assert psm.measured == psm.setpoint == at(0.0, 0.1)
    assert not psm.is_busy


def test_the_pacer_makes_good_a_late_wake_up_but_no_long_stall():
    pacer = Pacer(period=0.01, now=100.0, longest=5)
    assert pacer.due(100.0) == 0
    assert pacer.due(100.031) == 3
    assert pacer.due(100.032) == 0
    assert pacer.due(101.032) == 5
    assert pacer.slipped == pytest.approx(0.95, abs=0.011)
    assert pacer.due(101.043) == 1
    assert pacer.due(99.0) == 0  # a clock that went back
