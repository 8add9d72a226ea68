"""One motion at a time, watched to its end; faults stay until an operator clears them."""

from __future__ import annotations

import dataclasses

import pytest

from dvrk_cable_env.arm import ArmConfig, Status
from dvrk_cable_env.controller import ArmController
from dvrk_cable_env.limits import ArmLimits, ArmState, Decision, Request

MS = 1_000_000
SECOND = 1_000 * MS
HOME = (0.0, 0.0, -0.1)


class FakeArm:
    """An arm whose state a test writes and whose commands it reads."""

    def __init__(self) -> None:
        self.now = SECOND
        self.known = ArmState("ENABLED", True, False, self.now, "", HOME, HOME)
        self.listening = True
        self.sent: list[object] = []
        self.sends: tuple[float, ...] | None = None  # instead of what it is asked for

    def state(self) -> ArmState:
        return self.known

    def command(self, name: str) -> bool:
        if self.listening:
            self.sent.append(name)
        return self.listening

    def move(self, goal: tuple[float, ...]) -> tuple[float, ...]:
        self.sent.append(goal)
        return goal if self.sends is None else self.sends

    def flush(self, timeout: float) -> None:
        pass

    def hold(self) -> None:
        self.sent.append("hold")

    def set(self, **fields: object) -> None:
        self.known = dataclasses.replace(self.known, **fields)  # type: ignore[arg-type]

    def at(self, x: float, y: float) -> None:
        self.set(setpoint=(x, y, -0.1), measured=(x, y, -0.1))


class Rig:
    """An arm, its controller and a clock."""

    def __init__(self, **config: object) -> None:
        self.arm = FakeArm()
        self.controller = ArmController(self.arm, ArmConfig(**config))  # type: ignore[arg-type]
        self.now = SECOND
        if not config.get("auto_enable"):
            self.controller.update(self.now)
            self.controller.rearm()

    def tick(self, milliseconds: int = 10, stale: bool = False, **fields: object) -> Status:
        self.now += milliseconds * MS
        self.arm.set(**({} if stale else {"stamp": self.now}), **fields)
        return self.controller.update(self.now)

    def plan(self, dx: float = 0.01, dy: float = 0.0, age_ms: int = 0, **more: bool) -> Decision:
        request = Request((dx, dy), self.now - age_ms * MS, **more)
        return self.controller.execute(request, self.now)

    def finish(self, x: float, y: float) -> Status:
        """The arm reports a whole motion to (x, y)."""
        self.tick(is_busy=True)
        self.arm.at(x, y)
        return self.tick(200, is_busy=False)


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


def test_infeasible_holds_and_changes_nothing(rig: Rig) -> None:
    before = rig.controller.status()
    assert rig.plan(feasible=False).outcome == "held"
    assert rig.arm.sent == ["hold"]
    assert rig.controller.status() == before


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


def test_it_begins_disarmed(rig: Rig) -> None:
    controller = ArmController(rig.arm, ArmConfig())
    assert "not armed" in controller.update(rig.now).reason
    assert "not armed" in controller.execute(Request((0.01, 0.0), rig.now), rig.now).reason
    rig.arm.set(state="DISABLED")
    assert "DISABLED" in controller.update(rig.now).reason, "what to cure comes first"
    assert controller.rearm() == "the arm is DISABLED, not ENABLED"
    rig.arm.set(state="ENABLED")
    assert not controller.update(rig.now).ready, "enabled since: that is not armed"
    assert controller.rearm() == ""
    assert controller.update(rig.now).ready


def test_what_the_arm_says_it_sent_is_what_is_reported(rig: Rig) -> None:
    rig.arm.sends = (0.004, 0.001)
    decision = rig.plan(0.01, 0.0)
    assert (decision.goal, decision.displacement) == ((0.004, 0.001), (0.004, 0.001))
    assert not rig.finish(0.004, 0.001).moving
    rig.arm.sends = ()
    assert rig.plan(0.01, 0.0) == Decision("refused", "the arm took no command")
    assert not rig.controller.status().moving and rig.arm.sent[-1] == "hold"


def test_steps_in_quick_succession_are_made_shorter() -> None:
    rig = Rig(limits=ArmLimits(max_velocity=0.05, max_acceleration=10.0))
    rig.tick()
    assert rig.plan(0.01, 0.0).displacement == (0.01, 0.0), "the first after a long rest"
    rig.tick(is_busy=True)
    rig.arm.at(0.01, 0.0)
    rig.tick(90, is_busy=False)
    second = rig.plan(0.01, 0.0)
    assert second.outcome == "clamped" and second.displacement == pytest.approx((0.005, 0.0))


def test_pause_lets_the_motion_end_and_refuses_the_next(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.controller.pause("paused")
    assert not rig.finish(0.01, 0.0).moving
    assert rig.arm.sent == [(0.01, 0.0)], "no hold"
    assert rig.plan() == Decision("refused", "paused")
    assert rig.controller.rearm() == ""
    rig.tick()
    assert rig.plan().outcome == "sent"


def test_pause_does_not_hide_a_fault(rig: Rig) -> None:
    rig.controller.stop("stopped")
    rig.controller.pause("paused")
    assert rig.controller.status().reason == "stopped"


def test_reset_forgets_a_fault_and_stays_disarmed(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    assert "moving" in rig.controller.reset()
    rig.controller.stop("stopped")
    assert rig.controller.reset() == ""
    assert "not armed" in rig.tick().reason
    assert "not armed" in rig.plan().reason
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


def test_home_enables_and_homes_and_stays_disarmed() -> None:
    rig = Rig()
    rig.tick(state="DISABLED", is_homed=False)
    assert rig.controller.home() == ""
    rig.tick()
    rig.tick(state="ENABLED")
    rig.tick(is_busy=True)
    assert "moving" in rig.controller.home()
    rig.tick(is_busy=False, is_homed=True)
    assert rig.arm.sent == ["enable", "home"]
    assert "not armed" in rig.tick().reason
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


def test_stop_holds_and_latches(rig: Rig) -> None:
    rig.plan(0.01, 0.0)
    rig.tick(is_busy=True)
    rig.controller.stop("stopped")
    assert rig.arm.sent[-1] == "hold"
    rig.tick(is_busy=False)
    assert rig.plan() == Decision("refused", "stopped")
    rig.controller.rearm()
    rig.tick(300)
    assert rig.plan().outcome == "sent"


def test_start_enables_homes_and_tells_each_once() -> None:
    rig = Rig(auto_enable=True)
    rig.tick(state="", is_homed=False)
    assert rig.arm.sent == [], "its state is not known yet"
    rig.arm.listening = False
    rig.tick(state="DISABLED")
    rig.arm.listening = True
    rig.tick(is_busy=True)
    assert rig.arm.sent == [], "busy with something else"
    rig.tick(is_busy=False)
    for _ in range(3):
        rig.tick()
    assert rig.arm.sent == ["enable"]
    for _ in range(3):
        rig.tick(state="ENABLED")
    assert rig.arm.sent == ["enable", "home"]
    assert not rig.tick(is_busy=True, is_homed=True).ready, "still moving home"
    assert rig.tick(is_busy=False).ready
    assert rig.arm.sent == ["enable", "home"]


def test_start_without_auto_enable_sends_nothing() -> None:
    rig = Rig()
    for state in ("DISABLED", "FAULT"):
        assert not rig.tick(1_000, state=state, is_homed=False).ready
    assert rig.arm.sent == []


def test_start_gives_up_after_its_timeout() -> None:
    rig = Rig(auto_enable=True, enable_timeout=3.0)
    rig.tick(state="DISABLED", is_homed=False)
    status = rig.tick(3_100)
    assert "the arm is DISABLED, not enabled and homed within 3 s" in status.reason
    rig.arm.sent.clear()
    rig.tick(10_000)
    assert rig.arm.sent == []
    rig.controller.rearm()
    rig.tick()
    assert rig.arm.sent == ["enable"]


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
