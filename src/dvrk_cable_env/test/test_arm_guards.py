"""Pedal, teleoperation and other commanders: what they forbid, and what stays forbidden."""

from __future__ import annotations

import pytest
from arm_rig import Rig

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.guards import DeadMan, Objection, SoleCommander, SpeedRatio, Teleoperation


class Wall:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def pedal(max_age: float = 0.5) -> tuple[DeadMan, Wall]:
    wall = Wall()
    return DeadMan("/pedal", max_age, wall), wall


def test_a_pedal_counts_while_it_is_pressed_and_heard() -> None:
    foot, wall = pedal()
    assert foot.objection() == Objection("no message from the dead-man pedal /pedal yet")
    foot.receive([1])
    assert foot.objection() is None
    wall.seconds += 0.5
    assert foot.objection() is None
    wall.seconds += 0.1
    assert foot.objection() == Objection(
        "no message from the dead-man pedal for 0.5 s", latches=True
    )


@pytest.mark.parametrize("buttons", [[0], [2], [], [0, 1], [-1]])
def test_anything_but_pressed_is_not_pressed(buttons: list[int]) -> None:
    foot, _ = pedal()
    foot.receive([1])
    foot.receive(buttons)
    assert foot.objection() == Objection("the dead-man pedal is not pressed")


def test_a_pedal_that_speaks_on_change_only_must_have_its_publisher() -> None:
    foot, wall = pedal(max_age=0.0)
    foot.receive([1])
    wall.seconds += 3600.0
    assert foot.objection() is None
    foot.present = False
    gone = foot.objection()
    assert gone and gone.latches and "no node publishes" in gone.reason
    foot.present = True
    assert foot.objection() == Objection("the dead-man pedal is not pressed"), "press it again"


def test_teleoperation_forbids_while_it_follows_or_may_follow() -> None:
    console = Teleoperation("/following")
    assert console.objection() is None, "it does not run"
    console.present = True
    unknown = console.objection()
    assert unknown and "may be driving" in unknown.reason and unknown.foreign
    console.receive(False)
    assert console.objection() is None
    console.receive(True)
    follows = Objection(
        "teleoperation drives the arm (/following is true)", latches=True, foreign=True
    )
    assert console.objection() == follows
    console.present = False
    assert console.objection() is None, "it has ended"


def test_another_commander_is_named() -> None:
    sole = SoleCommander()
    assert sole.objection() is None
    sole.see(["/gui (PSM1/servo_cp)", "/gui (PSM1/servo_cp)", "/a (PSM1/move_cp)"])
    found = sole.objection()
    assert found and found.latches and found.foreign
    assert found.reason.endswith("commander: /a (PSM1/move_cp), /gui (PSM1/servo_cp)")


def test_a_publisher_without_a_name_counts_at_the_second_look() -> None:
    """A node that ends leaves its publishers behind; a program without ROS has no name."""
    sole, nameless = SoleCommander(), "/_NODE_NAME_UNKNOWN_ (PSM1/move_cp)"
    sole.see([nameless])
    assert sole.objection() is None
    sole.see([])
    sole.see([nameless, "/gui (PSM1/servo_cp)"])
    assert sole.objection() and "UNKNOWN" not in sole.objection().reason
    sole.see([nameless])
    assert sole.objection() and nameless in sole.objection().reason


def test_the_arm_must_confirm_the_speed_ratio_that_it_was_sent() -> None:
    ratio = SpeedRatio(0.2)
    absent = ratio.objection()
    assert absent and absent.latches and "set guards.speed_ratio to 0" in absent.reason
    ratio.present = True
    waiting = ratio.objection()
    assert waiting and not waiting.latches and "has not confirmed" in waiting.reason
    ratio.receive(1.0)
    assert ratio.objection() == waiting, "what the arm had before"
    ratio.receive(0.2)
    assert ratio.objection() is None
    ratio.receive(1.0)
    changed = ratio.objection()
    assert changed and changed.latches and "was changed from 0.2" in changed.reason
    ratio.receive(0.2)
    assert ratio.objection() == changed, "nobody knows what moved meanwhile"
    ratio.receive(1.0)
    ratio.ask()
    assert ratio.objection() == waiting, "~/arm sends the ratio again"


class Watcher:
    """A guard that objects to what a test says."""

    word: Objection | None = None

    def objection(self) -> Objection | None:
        return self.word


def watched() -> tuple[Rig, Watcher]:
    """A ready arm behind a controller, and the guard that it asks."""
    watcher = Watcher()
    rig = Rig(watcher)
    assert rig.tick().ready
    return rig, watcher


RELEASED = Objection("released")
LOST = Objection("lost", latches=True)
FOREIGN = Objection("taken", latches=True, foreign=True)


@pytest.mark.parametrize("word", [RELEASED, LOST, FOREIGN])
def test_during_a_motion_every_objection_holds_and_latches(word: Objection) -> None:
    rig, guard = watched()
    assert rig.plan().reason == ""
    assert rig.tick(is_busy=True).ready
    guard.word = word
    assert not rig.tick().ready
    assert rig.arm.sent == [(0.01, 0.0), "hold"]
    guard.word = None
    assert not rig.tick(is_busy=False).ready, "the objection is gone, the fault is not"
    assert word.reason in rig.plan().reason
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


def test_a_pedal_released_at_rest_may_be_pressed_again() -> None:
    rig, guard = watched()
    guard.word = RELEASED
    assert not rig.tick().ready
    assert rig.plan().reason == "released" and rig.arm.sent == ["hold"]
    guard.word = None
    assert rig.tick().ready
    assert rig.plan().reason == ""


@pytest.mark.parametrize("word", [LOST, FOREIGN])
def test_at_rest_what_was_lost_or_taken_latches(word: Objection) -> None:
    rig, guard = watched()
    guard.word = word
    assert not rig.tick().ready
    assert rig.controller.rearm() == word.reason, "not while it lasts"
    guard.word = None
    assert not rig.tick().ready
    assert rig.controller.rearm() == ""
    assert rig.tick().ready


@pytest.mark.parametrize("latches", [False, True])
def test_homing_does_not_wait_for_what_only_arming_sends(latches: bool) -> None:
    """`~/arm` refuses an arm that is not homed: else neither could ever come first."""
    rig, guard = watched()
    rig.tick(state="DISABLED", is_homed=False)
    guard.word = Objection("the speed ratio", latches=latches, ends_with_arming=True)
    assert rig.controller.home() == ""
    rig.tick()
    rig.tick(state="ENABLED")
    rig.tick()
    assert rig.arm.sent[-2:] == ["enable", "home"]
    guard.word = RELEASED
    rig.controller.stop("stopped")
    assert rig.controller.home() == "released"


def test_an_arm_that_somebody_else_has_is_not_even_held() -> None:
    rig, guard = watched()
    guard.word = FOREIGN
    rig.tick()
    assert "taken" in rig.plan().reason
    rig.controller.leave()
    assert rig.arm.sent == []
    guard.word = None
    rig.plan()
    rig.controller.leave()
    assert rig.arm.sent == ["hold", "hold"]


def test_leaving_holds_a_motion_of_ours_whoever_objects() -> None:
    rig, guard = watched()
    rig.plan()
    guard.word = FOREIGN
    rig.controller.leave()
    assert rig.arm.sent[-1] == "hold"


@pytest.mark.parametrize("word", [RELEASED, LOST, FOREIGN])
def test_homing_moves_the_arm_and_asks_the_guards(word: Objection) -> None:
    rig, guard = watched()
    rig.tick(state="DISABLED", is_homed=False)
    rig.arm.sent.clear()
    guard.word = word
    assert rig.controller.home() == word.reason
    rig.tick()
    assert rig.arm.sent == []
    guard.word = None
    assert rig.controller.home() == ""
    rig.tick()
    guard.word = word
    rig.tick(is_busy=True)
    assert rig.arm.sent == ["enable", "hold"]
    assert "while enabling" in rig.controller.status().reason


def test_the_gravest_objection_decides() -> None:
    rig, guard = watched()
    controller = ArmController(rig.arm, ArmConfig(auto_enable=True), [guard, Grave()])
    controller.update(rig.now)
    guard.word = RELEASED
    assert controller.update(rig.now).reason == "taken"


class Grave:
    """Somebody else has the arm."""

    def objection(self) -> Objection:
        return FOREIGN
