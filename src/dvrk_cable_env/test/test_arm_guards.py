"""Pedal, teleoperation and other commanders: what they forbid, and what stays forbidden."""

from __future__ import annotations

import dataclasses

import pytest

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.guards import DeadMan, Objection, SoleCommander, Teleoperation
from dvrk_cable_env.arm.limits import ArmState, Request

MS = 1_000_000
HOME = (0.0, 0.0, -0.1)


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
    assert foot.objection() == Objection("nothing heard of the dead-man pedal on /pedal yet")
    foot.hear([1])
    assert foot.objection() is None
    wall.seconds += 0.5
    assert foot.objection() is None
    wall.seconds += 0.1
    assert foot.objection() == Objection("the dead-man pedal is silent for 0.5 s", latches=True)


@pytest.mark.parametrize("buttons", [[0], [2], [], [0, 1], [-1]])
def test_anything_but_pressed_is_not_pressed(buttons: list[int]) -> None:
    foot, _ = pedal()
    foot.hear([1])
    foot.hear(buttons)
    assert foot.objection() == Objection("the dead-man pedal is not pressed")


def test_a_pedal_that_speaks_on_change_only_must_have_its_publisher() -> None:
    foot, wall = pedal(max_age=0.0)
    foot.hear([1])
    wall.seconds += 3600.0
    assert foot.objection() is None
    foot.present = False
    gone = foot.objection()
    assert gone and gone.latches and "nobody publishes" in gone.reason
    foot.present = True
    assert foot.objection() == Objection("the dead-man pedal is not pressed"), "press it again"


def test_teleoperation_forbids_while_it_follows_or_may_follow() -> None:
    console = Teleoperation("/following")
    assert console.objection() is None, "it does not run"
    console.present = True
    unknown = console.objection()
    assert unknown and "not known" in unknown.reason and unknown.foreign
    console.hear(False)
    assert console.objection() is None
    console.hear(True)
    follows = Objection("teleoperation follows (/following)", latches=True, foreign=True)
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


class Bench:
    """A ready arm behind a controller with one guard whose objection a test sets."""

    def __init__(self, **config: bool) -> None:
        self.now = 1_000 * MS
        self.known = ArmState("ENABLED", True, False, self.now, "", HOME, HOME)
        self.sent: list[object] = []
        self.word: Objection | None = None
        self.controller = ArmController(self, ArmConfig(**config), [self])  # type: ignore[arg-type]
        self.tick()
        self.controller.rearm()
        self.tick()

    def state(self) -> ArmState:
        return self.known

    def command(self, name: str) -> bool:
        self.sent.append(name)
        return True

    def move(self, goal: tuple[float, ...]) -> tuple[float, ...]:
        self.sent.append(goal)
        return goal

    def hold(self) -> None:
        self.sent.append("hold")

    def flush(self, timeout: float) -> None:
        pass

    def objection(self) -> Objection | None:
        return self.word

    def tick(self, **fields: object) -> bool:
        self.now += 300 * MS
        self.known = dataclasses.replace(self.known, stamp=self.now, **fields)  # type: ignore[arg-type]
        return self.controller.update(self.now).ready

    def plan(self) -> str:
        return self.controller.execute(Request((0.01, 0.0), self.now), self.now).reason


RELEASED = Objection("released")
LOST = Objection("lost", latches=True)
FOREIGN = Objection("taken", latches=True, foreign=True)


@pytest.mark.parametrize("word", [RELEASED, LOST, FOREIGN])
def test_during_a_motion_every_objection_holds_and_latches(word: Objection) -> None:
    bench = Bench()
    assert bench.plan() == ""
    assert bench.tick(is_busy=True)
    bench.word = word
    assert not bench.tick()
    assert bench.sent == [(0.01, 0.0), "hold"]
    bench.word = None
    assert not bench.tick(is_busy=False), "the objection is gone, the fault is not"
    assert word.reason in bench.plan()
    assert bench.controller.rearm() == ""
    assert bench.tick()


def test_a_pedal_released_at_rest_may_be_pressed_again() -> None:
    bench = Bench()
    bench.word = RELEASED
    assert not bench.tick()
    assert bench.plan() == "released" and bench.sent == ["hold"]
    bench.word = None
    assert bench.tick()
    assert bench.plan() == ""


@pytest.mark.parametrize("word", [LOST, FOREIGN])
def test_at_rest_what_was_lost_or_taken_latches(word: Objection) -> None:
    bench = Bench()
    bench.word = word
    assert not bench.tick()
    assert bench.controller.rearm() == word.reason, "not while it lasts"
    bench.word = None
    assert not bench.tick()
    assert bench.controller.rearm() == ""
    assert bench.tick()


def test_an_arm_that_somebody_else_has_is_not_even_held() -> None:
    bench = Bench()
    bench.word = FOREIGN
    bench.tick()
    assert "taken" in bench.plan()
    bench.controller.leave()
    assert bench.sent == []
    bench.word = None
    bench.plan()
    bench.controller.leave()
    assert bench.sent == ["hold", "hold"]


def test_leaving_holds_a_motion_of_ours_whoever_objects() -> None:
    bench = Bench()
    bench.plan()
    bench.word = FOREIGN
    bench.controller.leave()
    assert bench.sent[-1] == "hold"


@pytest.mark.parametrize("word", [RELEASED, LOST, FOREIGN])
def test_homing_moves_the_arm_and_asks_the_guards(word: Objection) -> None:
    bench = Bench()
    bench.tick(state="DISABLED", is_homed=False)
    bench.sent.clear()
    bench.word = word
    assert bench.controller.home() == word.reason
    bench.tick()
    assert bench.sent == []
    bench.word = None
    assert bench.controller.home() == ""
    bench.tick()
    bench.word = word
    bench.tick(is_busy=True)
    assert bench.sent == ["enable", "hold"]
    assert "while it was enabled" in bench.controller.status().reason


def test_the_gravest_objection_decides() -> None:
    bench = Bench()
    controller = ArmController(bench, ArmConfig(auto_enable=True), [bench, Grave()])  # type: ignore[arg-type]
    controller.update(bench.now)
    bench.word = RELEASED
    assert controller.update(bench.now).reason == "taken"


class Grave:
    """Somebody else has the arm."""

    def objection(self) -> Objection:
        return FOREIGN
