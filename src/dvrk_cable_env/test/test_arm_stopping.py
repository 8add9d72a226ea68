"""A stop is told by what the setpoint shows, and an arm that no stop reaches does not move."""

from __future__ import annotations

import pytest
from arm_rig import HOME, MS, Rig

from dvrk_cable_env.arm.guards import HoldHeard
from dvrk_cable_env.arm.stopping import EMERGENCY, TRYING

pytestmark = pytest.mark.background

STEP = 0.015


def in_motion(*guards: HoldHeard) -> Rig:
    """An arm 2 mm into a step of 15 mm."""
    rig = Rig(*guards)
    tried(rig)
    assert rig.tick().ready
    assert rig.plan(STEP, 0.0).outcome == "sent"
    rig.arm.at(0.002, 0.0)
    assert rig.tick(40, is_busy=True).moving
    rig.arm.sent.clear()
    return rig


def tried(rig: Rig) -> None:
    """The arm answers to the trial of a stop, if there is one."""
    for state in (
        ("ENABLED", "PAUSED", "ENABLED", "ENABLED") if rig.controller.stopping.trying else ()
    ):
        rig.tick(state=state)


def goes_on(rig: Rig, *x_mm: float) -> None:
    """The setpoint is seen at these places, 20 ms apart."""
    for x in x_mm:
        rig.arm.at(x * 1e-3, 0.0)
        rig.tick(20)


def reason(rig: Rig) -> str:
    return rig.controller.status().reason


def without_hold() -> HoldHeard:
    return HoldHeard("/PSM1/hold", required=False)


def test_nothing_is_claimed_before_the_setpoint_rests_and_then_the_distance_is_told() -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    assert reason(rig) == "stopped; the stop is not confirmed yet"
    goes_on(rig, 2.5, 3.0)
    assert not rig.controller.stopping.settled
    goes_on(rig, 3.0, 3.0, 3.0)
    assert rig.controller.stopping.obeyed
    assert reason(rig) == "stopped; at rest after 1.0 mm"


def test_an_arm_that_finishes_its_step_did_not_stop() -> None:
    """Seen where nobody hears `hold`: 13 of 15 mm, over before anyone could see it move late."""
    rig = in_motion()
    rig.controller.stop("stopped")
    goes_on(rig, 6, 10, 14, 15, 15, 15, 15, 15)
    assert rig.controller.stopping.settled and not rig.controller.stopping.obeyed
    assert reason(rig) == (
        f"stopped; NOT STOPPED: the arm went on by 13.0 mm to the end of its step; {EMERGENCY}"
    )


def test_an_arm_that_still_moves_is_said_to_move_and_is_told_to_stop_once_more() -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    assert rig.arm.sent == ["hold"]
    goes_on(rig, *(2 + 0.2 * i for i in range(40)))
    assert rig.controller.stopping.settled and not rig.controller.stopping.obeyed
    assert f"NOT STOPPED: the arm still moves 0.5 s later; {EMERGENCY}" in reason(rig)
    assert rig.arm.sent == ["hold", "hold"], "and not at every look"
    goes_on(rig, 12, 12, 12, 12, 12)
    assert not rig.controller.stopping.obeyed
    assert "STOPPED LATE: the arm came to rest after 10.0 mm" in reason(rig)


def test_an_arm_that_is_not_heard_of_after_a_stop_is_not_said_to_have_stopped() -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    rig.tick(600, stale=True)
    assert rig.controller.stopping.settled and not rig.controller.stopping.obeyed
    unseen = f"NOT CONFIRMED: too few valid poses of the arm since the stop; {EMERGENCY}"
    assert unseen in reason(rig)


@pytest.mark.parametrize(
    ("x_mm", "text"),
    [(2, "stopped; at rest after 0.0 mm"), (3, "STOPPED LATE: the arm came to rest after 1.0 mm")],
)
def test_an_arm_whose_poses_come_late_has_obeyed_if_it_is_where_it_was(
    x_mm: float, text: str
) -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    rig.tick(600, stale=True)
    goes_on(rig, *[x_mm] * 5)
    assert text in reason(rig)
    assert rig.controller.stopping.obeyed == (x_mm == 2)


def test_an_arm_of_which_one_pose_is_known_after_a_stop_is_not_said_to_move() -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    goes_on(rig, 2)
    rig.tick(600, stale=True)
    assert rig.controller.stopping.settled and not rig.controller.stopping.obeyed
    assert "NOT CONFIRMED: too few valid poses" in reason(rig)


def test_a_motion_of_somebody_else_that_goes_on_after_a_stop_is_told() -> None:
    rig = Rig()
    rig.tick()
    rig.controller.stop("stopped")
    assert reason(rig) == "stopped", "it rests"
    goes_on(rig, *range(1, 31))
    assert "NOT STOPPED" in reason(rig)


def test_a_second_stop_does_not_begin_the_count_anew() -> None:
    rig = in_motion()
    rig.controller.stop("stopped")
    goes_on(rig, 4, 6)
    rig.controller.stop("stopped")
    assert rig.arm.sent == ["hold", "hold"]
    goes_on(rig, 6, 6, 6, 6)
    assert "at rest after 4.0 mm" in reason(rig)


@pytest.mark.parametrize("leave", ["leave", "deactivate"])
def test_the_end_of_the_process_and_a_deactivation_are_stops_too(leave: str) -> None:
    rig = in_motion()
    getattr(rig.controller, leave)()
    assert rig.arm.sent == ["hold"]
    assert "not confirmed yet" in reason(rig)
    goes_on(rig, 2, 2, 2, 2, 2)
    assert rig.controller.stopping.obeyed
    assert "at rest after 0.0 mm" in reason(rig)
    assert rig.plan().outcome == "refused"


def test_an_arm_that_does_not_hear_hold_is_not_armed_and_not_homed() -> None:
    guard = HoldHeard("/PSM1/hold", required=True)
    rig = Rig(guard)
    unheard = "no program that drives an arm subscribes to /PSM1/hold: a stop would not be heard"
    assert rig.controller.rearm() == rig.controller.home() == unheard
    assert rig.tick().reason == unheard
    assert rig.plan().outcome == "refused"
    guard.heard = True
    assert rig.controller.rearm() == ""
    assert rig.tick().ready
    guard.heard = False
    assert unheard in rig.tick().reason
    guard.heard = True
    assert not rig.tick().ready, "latched"


def test_hold_that_is_lost_in_a_motion_ends_the_motion() -> None:
    guard = HoldHeard("/PSM1/hold", required=True)
    guard.heard = True
    rig = in_motion(guard)
    guard.heard = False
    assert "during a motion: no program" in rig.tick().reason
    assert "freeze" not in rig.arm.sent, "not allowed"


def test_the_other_stop_is_tried_before_anything_moves() -> None:
    rig = Rig(without_hold())
    assert rig.tick().reason == TRYING
    assert rig.plan().reason == TRYING
    assert rig.arm.sent == ["freeze", "hold"], "the hold of a refused plan, which nobody hears"
    rig.tick(is_busy=False)
    assert rig.tick(state="PAUSED").reason == TRYING
    assert rig.arm.sent == ["freeze", "hold", "resume"]
    assert rig.tick(state="ENABLED").ready
    assert rig.plan(STEP, 0.0).outcome == "sent"


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (["ENABLED"], "the arm is ENABLED, 2 s after 'pause'"),
        (["PAUSED"], "the arm is PAUSED, 2 s after 'resume'"),
        (["PAUSED", "FAULT"], "the arm is FAULT, 2 s after 'resume'"),
    ],
    ids=["deaf", "stays paused", "fault"],
)
def test_an_arm_that_fails_the_trial_is_not_armed(states: list[str], text: str) -> None:
    rig = Rig(without_hold())
    rig.tick()
    for state in states:
        rig.tick(100, state=state)
    rig.tick(2100)
    assert f"the trial of the stop failed: {text}" in reason(rig)
    assert rig.plan().outcome == "refused"
    rig.tick(state="ENABLED")
    assert not rig.tick().ready, "latched"


def test_an_arm_that_jumps_when_the_stop_is_tried_is_not_armed() -> None:
    rig = Rig(without_hold())
    rig.tick()
    rig.arm.at(0.01, 0.0)
    assert "the arm moved while the stop was tried" in rig.tick().reason


def test_a_stop_without_hold_freezes_and_the_arm_is_resumed_by_the_next_arming() -> None:
    rig = in_motion(without_hold())
    rig.controller.stop("stopped")
    assert rig.arm.sent == ["hold", "freeze"]
    rig.tick(state="PAUSED", is_busy=False)
    goes_on(rig, 3, 3, 3, 3, 3)
    assert reason(rig) == "stopped; at rest after 1.0 mm"
    assert rig.controller.rearm() == ""
    rig.arm.sent.clear()
    for state in ("PAUSED", "ENABLED", "ENABLED", "PAUSED", "ENABLED"):
        assert not rig.plan().moves
        rig.tick(state=state)
    assert [sent for sent in rig.arm.sent if sent != "hold"] == ["resume", "freeze", "resume"]
    assert rig.tick().ready


def test_an_arm_that_somebody_else_paused_is_not_resumed_by_arming() -> None:
    rig = Rig(without_hold())
    tried(rig)
    rig.tick(state="PAUSED")
    assert rig.controller.rearm() == "the arm is PAUSED, not ENABLED"


def test_hold_that_is_heard_and_not_obeyed_is_followed_by_the_other_stop() -> None:
    guard = without_hold()
    guard.heard = True
    rig = in_motion(guard)
    rig.controller.stop("stopped")
    assert rig.arm.sent == ["hold"]
    goes_on(rig, *(2 + 0.2 * i for i in range(40)))
    assert rig.arm.sent == ["hold", "hold", "freeze"]


def test_hold_that_is_lost_at_rest_forbids_the_next_step_until_the_other_stop_was_tried() -> None:
    guard = without_hold()
    guard.heard = True
    rig = Rig(guard)
    assert rig.tick().ready
    guard.heard = False
    assert "call ~/arm" in rig.tick().reason
    assert "call ~/arm" in rig.plan().reason
    assert rig.controller.rearm() == ""
    tried(rig)
    assert rig.tick().ready


def test_home_resumes_an_arm_that_is_paused() -> None:
    """In vain for 30 s before: an arm that is PAUSED ignores `enable`."""
    rig = Rig()
    rig.tick(state="PAUSED")
    assert rig.controller.home() == ""
    rig.tick()
    assert rig.arm.sent[-1:] == ["resume"]
    assert "not armed" in rig.tick(state="ENABLED").reason


@pytest.mark.parametrize(
    ("state", "commands"),
    [("PAUSED", ["resume", "home"]), ("FAULT", ["enable", "home"]), ("ENABLED", ["home"])],
)
def test_home_of_an_arm_that_is_not_homed(state: str, commands: list[str]) -> None:
    rig = Rig()
    rig.tick(state=state, is_homed=False)
    rig.arm.sent.clear()
    assert rig.controller.home() == ""
    rig.tick()
    rig.tick(state="ENABLED")
    rig.tick(is_homed=True)
    assert rig.arm.sent == commands


@pytest.mark.parametrize("clock_runs", [True, False], ids=["robot killed", "simulation killed"])
def test_an_arm_that_fell_silent_in_a_motion_is_not_called_moving_for_ever(
    clock_runs: bool,
) -> None:
    """Its last word was that it is busy; whether it is, nobody knows."""
    rig = in_motion()
    rig.arm.set(silence=3.0)
    status = rig.tick(3000 if clock_runs else 0, stale=True)
    assert not status.moving and not status.ready
    assert "is not confirmed" in status.reason or "NOT CONFIRMED" in status.reason
    assert rig.controller.reset() == ""
    rig.tick(silence=0.0, is_busy=True)
    assert rig.controller.status().moving, "heard of again"


def test_times_are_of_the_poses_and_not_of_their_arrival() -> None:
    """A burst of old poses proves no rest."""
    rig = in_motion()
    rig.controller.stop("stopped")
    for _ in range(10):
        rig.now += 30 * MS
        rig.arm.set(stamp=rig.now - 500 * MS, setpoint=(0.002, *HOME[1:]))
        rig.controller.update(rig.now)
    assert not rig.controller.stopping.obeyed
