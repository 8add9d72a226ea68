"""One motion at a time, watched to its end; faults stay until an operator clears them."""

from __future__ import annotations

import dataclasses

import pytest
from arm_rig import HOME, MS, SECOND, Rig

from dvrk_cable_env.arm.limits import ArmLimits, Decision, Request

WORDS = "the frame is unlike the training data: score 3.10, limit 1.40"


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    assert rig.tick().ready
    return rig


def test_a_motion_runs_from_command_to_arrival(rig: Rig) -> None:
    start = rig.now
    assert rig.plan(0.01, 0.0).outcome == "sent"
    assert rig.arm.sent == [(0.01, 0.0)]
    status = rig.tick(is_busy=True)
    assert (status.moving, status.ready, status.stamp) == (True, True, start)
    rig.tick(100)
    rig.arm.at(0.01, 0.0)
    assert rig.tick().moving, "at the goal, but the robot says it is busy"
    status = rig.tick(is_busy=False)
    assert (status.moving, status.ready, status.stamp) == (False, True, rig.now)


def test_no_longer_busy_is_not_yet_arrived(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.tick(is_busy=True)
    rig.arm.at(0.005, 0.0)
    assert rig.tick(is_busy=False).moving
    rig.arm.set(setpoint=(0.01, 0.0, -0.1))
    assert rig.tick().moving, "the setpoint is there, the measured tip is not"


def test_a_move_to_where_it_is_ends_without_ever_being_busy(rig: Rig) -> None:
    rig.plan(0.0, 0.0)
    assert rig.tick().moving
    assert not rig.tick(600).moving


def test_a_plan_during_a_motion_is_refused_and_does_not_break_it_off(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    assert rig.plan(0.0, 0.01) == Decision("refused", "the arm is moving"), "not yet busy"
    rig.tick(is_busy=True)
    assert rig.plan(0.0, 0.01) == Decision("refused", "the arm is moving")
    assert rig.arm.sent == [(0.01, 0.0)]


def test_an_image_from_before_the_end_of_the_motion_is_refused(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    assert not rig.finish(0.01, 0.0).moving
    rig.tick()
    refused = rig.plan(age_ms=11)
    assert refused == Decision("refused", "image older than the last motion")
    assert rig.arm.sent[-1] == "hold"
    assert rig.plan(age_ms=10).outcome == "sent"


def test_the_pose_that_shows_the_end_may_be_newer_than_the_clock(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.tick(is_busy=True)
    rig.arm.at(0.01, 0.0)
    rig.now += 10 * MS
    rig.arm.set(is_busy=False, stamp=rig.now + 5 * MS)
    assert rig.controller.update(rig.now).stamp == rig.now + 5 * MS


def test_images_from_before_a_motion_of_somebody_else_are_refused(rig: Rig) -> None:
    status = rig.tick(is_busy=True)
    assert status.moving and status.stamp == rig.now
    assert rig.tick(is_busy=False).stamp == rig.now
    assert "older" in rig.plan(age_ms=5).reason
    assert rig.plan(age_ms=0).outcome == "sent"


def test_homing_or_an_operators_motion_is_not_broken_off_by_a_refused_plan(rig: Rig) -> None:
    rig.tick(is_busy=True)
    assert rig.plan(5.0).outcome == "refused"
    assert rig.arm.sent == []


def test_images_from_before_the_arm_was_ready_are_refused() -> None:
    rig = Rig()
    rig.tick(is_homed=False)
    rig.tick(is_homed=True)
    assert "older" in rig.plan(age_ms=5).reason


def test_infeasible_holds_and_changes_nothing_but_the_words(rig: Rig) -> None:
    before = rig.controller.status()
    assert rig.plan(feasible=False).outcome == "held"
    assert rig.arm.sent == ["hold"]
    assert rig.controller.status() == dataclasses.replace(before, reason="no feasible plan")


def test_the_planners_words_stand_until_the_next_plan(rig: Rig) -> None:
    held = rig.plan(feasible=False, lacks=WORDS)
    assert held == Decision("held", WORDS)
    status = rig.tick()
    assert (status.ready, status.moving, status.reason) == (True, False, WORDS)
    assert rig.plan().outcome == "sent"
    status = rig.tick(is_busy=True)
    assert (status.ready, status.moving, status.reason) == (True, True, "")


def test_a_refused_plan_and_arming_end_the_words(rig: Rig) -> None:
    rig.plan(feasible=False, lacks=WORDS)
    assert rig.plan(5.0).outcome == "refused"
    assert rig.tick().reason == ""
    rig.plan(feasible=False, lacks=WORDS)
    rig.controller.stop("stopped by the operator")
    assert rig.tick().reason == "stopped by the operator", "why it is not ready comes first"
    assert rig.plan(feasible=False, lacks=WORDS) == Decision("held", WORDS)
    assert rig.tick().reason == "stopped by the operator"
    assert rig.controller.rearm() == ""
    assert rig.tick().reason == ""


def test_a_motion_that_does_not_end_is_stopped_and_latches(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.tick(is_busy=True)
    status = rig.tick(5_100)
    assert not status.ready and "did not end within 5 s" in status.reason
    assert rig.arm.sent[-1] == "hold"
    rig.tick(is_busy=False)
    assert "did not end" in rig.plan().reason
    assert rig.controller.rearm() == ""
    rig.tick()
    assert rig.plan().outcome == "sent"


def test_a_rejected_move_times_out(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    for _ in range(60):
        status = rig.tick(100)
    assert not status.ready and not status.moving


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": "FAULT"}, "the arm is FAULT"),
        ({"state": "PAUSED"}, "the arm is PAUSED"),
        ({"state": "DISABLED"}, "the arm is DISABLED"),
        ({"is_homed": False}, "not homed"),
    ],
)
@pytest.mark.parametrize("moving", [False, True])
def test_a_fault_latches_and_is_never_cured_by_itself(
    fields: dict, text: str, moving: bool
) -> None:
    rig = Rig(auto_enable=True)
    assert rig.tick().ready
    if moving:
        rig.plan(0.01, 0.0)
        rig.tick(is_busy=True)
    status = rig.tick(**fields, is_busy=False)
    assert not status.ready and not status.moving and text in status.reason
    rig.arm.sent.clear()
    assert not rig.tick(state="ENABLED", is_homed=True).ready, "back by itself, still latched"
    assert text in rig.plan().reason
    assert rig.arm.sent == ["hold"], "nothing but holds: no enable, no home"
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


def test_a_silent_robot_during_a_motion_latches(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    status = rig.tick(300, stale=True)
    assert not status.ready and "older than 0.25 s" in status.reason
    assert rig.arm.sent[-1] == "hold"
    assert not rig.tick().ready


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"frame": "camera"}, "in frame 'camera', the workspace in 'base'"),
        ({"measured": (float("nan"), 0.0, -0.1)}, "not finite"),
        ({"stamp": 0}, "stamp 0"),
    ],
)
def test_a_pose_that_means_nothing_during_a_motion_latches(fields: dict, text: str) -> None:
    rig = Rig(limits=ArmLimits(frame="base"), auto_enable=True)
    assert rig.tick(frame="base").ready
    rig.plan(0.01, 0.0)
    status = rig.tick(stale=True, is_busy=True, **fields)
    assert not status.ready and text in status.reason
    assert rig.arm.sent[-1] == "hold"
    assert not rig.tick(frame="base", measured=HOME, is_busy=False).ready


def test_a_robot_silent_while_the_clock_stands_still_is_noticed(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.arm.set(silence=3.0)
    assert "no robot pose for 2 s" in rig.controller.update(rig.now).reason


def test_a_stale_state_at_rest_latches_though_it_be_fresh_again(rig: Rig) -> None:
    assert not rig.tick(300, stale=True).ready
    assert rig.arm.sent == ["hold"]
    assert "older" in rig.controller.rearm(), "not while it is still stale"
    assert not rig.tick().ready
    assert "older" in rig.plan().reason
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


def test_a_stale_state_at_rest_does_not_latch_where_nobody_could_arm_again() -> None:
    rig = Rig(limits=ArmLimits(latch_timeouts=False))
    assert rig.tick().ready
    assert not rig.tick(300, stale=True).ready
    assert "older" in rig.plan().reason
    assert rig.tick().ready


def test_what_the_arm_says_it_sent_is_what_is_reported(rig: Rig) -> None:
    rig.arm.sends = (0.004, 0.001)
    decision = rig.plan(0.01, 0.0)
    assert (decision.goal, decision.displacement) == ((0.004, 0.001), (0.004, 0.001))
    assert not rig.finish(0.004, 0.001).moving
    rig.arm.sends = ()
    assert rig.plan(0.01, 0.0) == Decision(
        "refused", "the arm could not take the command: no setpoint yet"
    )
    assert not rig.controller.status().moving and rig.arm.sent[-1] == "hold"


def test_steps_in_quick_succession_are_made_shorter() -> None:
    rig = Rig(limits=ArmLimits(max_mean_speed=0.05, max_mean_acceleration=10.0))
    rig.tick()
    assert rig.plan(0.01, 0.0).displacement == (0.01, 0.0), "the first after a long rest"
    rig.tick(is_busy=True)
    rig.arm.at(0.01, 0.0)
    rig.tick(90, is_busy=False)
    second = rig.plan(0.01, 0.0)
    assert second.outcome == "clamped" and second.displacement == pytest.approx((0.005, 0.0))


def test_plans_before_the_first_clock_are_refused() -> None:
    rig = Rig(auto_enable=True)
    rig.now = 0
    rig.arm.set(stamp=0)
    assert "clock" in rig.controller.update(0).reason
    assert rig.plan().outcome == "refused"
    assert rig.tick(10).ready and rig.plan().outcome == "sent", "simulated time starts at 0"


def test_a_clock_that_jumps_back_at_rest_forgets_old_times(rig: Rig) -> None:
    rig.tick(60_000)
    rig.plan(0.01, 0.0)
    rig.finish(0.01, 0.0)
    late = Request((0.01, 0.0), rig.now)
    rig.now = 2 * SECOND
    assert rig.tick().ready
    assert "in the future" in rig.controller.execute(late, rig.now).reason
    assert rig.plan().outcome == "sent"


def test_a_clock_that_jumps_back_during_a_motion_stops_it(rig: Rig) -> None:
    rig.tick(60_000)
    rig.plan(0.01, 0.0)
    rig.now = 2 * SECOND
    status = rig.tick(is_busy=True)
    assert not status.ready and "jumped back" in status.reason
    assert rig.arm.sent[-1] == "hold"
    rig.tick(is_busy=False)
    rig.controller.rearm()
    rig.tick()
    assert rig.plan().outcome == "sent"
