"""What an operator may ask of the arm's controller, and how it starts."""

from __future__ import annotations

import pytest
from arm_rig import Rig

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.limits import Decision, Request


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    assert rig.tick().ready
    return rig


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
