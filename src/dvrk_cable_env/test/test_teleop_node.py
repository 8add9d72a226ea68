"""teleop_node as a process between gamepad and arm_node: what moves the arm, and what does not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image, Joy
from std_msgs.msg import String

from ls3_common import qos
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

ARM, TELEOP = "dvrk_cable_env.arm.arm_node", "dvrk_cable_env.teleop.teleop_node"
CLUTCH, FOOT = "/console/clutch", "/footpedals/camera"
STEP = 0.004  # m
HELD = [0, 0, 0, 0, 0, 1, 0, 0]
"""The dead-man button alone."""
QUIET = 0.8
"""Seconds in which a stick that worked would have moved the arm many times."""


class Person:
    """A gamepad, a camera and the eyes on what becomes of them."""

    def __init__(self, bench: Any, arm: Any) -> None:
        node, self.bench, self.arm = bench.node, bench, arm
        self.axes, self.buttons = [0.0, 0.0], [0] * 8
        self.sends, self.films, self.stamped, self.age = True, True, True, 0.0
        self.sent = 0
        self.commands = bench.collect(ArmCommand, "arm_command")
        self.states = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self.marks = bench.collect(String, "episode_mark")
        self.logs = bench.collect(Log, "/rosout", qos.RELIABLE)
        self._joy = node.create_publisher(Joy, "joy", qos.RELIABLE)
        self._frames = node.create_publisher(Image, "camera/image_raw", qos.BEST_EFFORT)
        self.pedals = {t: node.create_publisher(Joy, t, qos.RELIABLE) for t in (CLUTCH, FOOT)}
        self._timers = [node.create_timer(0.03, self._send), node.create_timer(0.03, self._shoot)]

    def _stamp(self, age: float) -> Any:
        from builtin_interfaces.msg import Time

        seconds, rest = divmod(self.bench.now() - int(age * 1e9), 10**9)
        return Time(sec=int(seconds), nanosec=int(rest))

    def _send(self) -> None:
        if self.sends:
            message = Joy(axes=self.axes, buttons=self.buttons)
            if self.stamped:
                message.header.stamp = self._stamp(self.age)
            self._joy.publish(message)
            self.sent += 1

    def _shoot(self) -> None:
        if self.films:
            frame = Image(height=1, width=1, encoding="mono8", step=1, data=b"\0")
            frame.header.stamp = self._stamp(0.0)
            self._frames.publish(frame)

    def moves(self) -> int:
        return len(self.arm.moves)

    def drives(
        self,
        until: Callable[[], object] | None = None,
        axes: tuple[float, float] = (-1.0, 0.0),
    ) -> None:
        """Push the stick with the dead-man button held, until the arm moves or `until` holds.

        teleop_node may meet the stick late, or find it silent for a moment on a busy machine, and
        the stick counts only after a release: it is released and pushed again until then.
        """
        before = self.moves()
        holds = until or (lambda: self.moves() >= before + 2)

        def pushed() -> bool:
            self.axes, self.buttons = [0.0, 0.0], [0] * 8
            time.sleep(0.3)
            self.axes, self.buttons = list(axes), list(HELD)
            deadline = time.monotonic() + 3.0
            while not holds() and time.monotonic() < deadline:
                time.sleep(0.02)
            return bool(holds())

        self.bench.until(pushed)

    def rests(self) -> None:
        """Whatever was under way has ended, and nothing moves the arm any more."""
        time.sleep(0.5)
        before = self.moves()
        time.sleep(QUIET)
        assert self.moves() == before

    def said(self, text: str) -> list[str]:
        return [log.msg for log in self.logs if log.name == "teleop_node" and text in log.msg]

    def press(self, button: int) -> None:
        for down in (1, 0):
            self.buttons = [down * (index == button) for index in range(8)]
            sent = self.sent
            self.bench.until(lambda sent=sent: self.sent > sent + 2)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave, so that nobody else hears two sticks."""
        self.bench.destroy(*self._timers, self._joy, self._frames, *self.pedals.values())

    def restore(self) -> None:
        """A stick in its middle, in good order, and an arm that has been still for long enough."""
        self.axes, self.buttons = [0.0, 0.0], [0] * 8
        self.sends, self.films, self.stamped, self.age = True, True, True, 0.0
        self.pedals[CLUTCH].publish(Joy(buttons=[0]))
        self.arm.position[:] = [0.0, 0.0, -0.1]
        time.sleep(0.3)
        self.logs.clear()


def test_a_step_beyond_the_arms_limit_is_refused_by_the_arm(
    bench: Any, arm: Any, patient: dict
) -> None:
    """With steps of its own taken for the arm's, the operator's file is no way round the limit."""
    lower = {"auto_enable": True, "limits__max_step": 0.002} | patient
    with (
        Person(bench, arm) as person,
        bench.start(ARM, **lower),
        bench.start(TELEOP, max_step=0.05),
    ):
        bench.until(lambda: person.states and person.states[-1].ready)
        bench.matched(person._joy)
        before = person.moves()
        person.drives(lambda: person.said("step refused: a step of 0.05 m, allowed 0.002 m"))
        person.rests()
        assert person.moves() == before


@pytest.fixture(scope="module")
def someone(bench: Any, arm: Any, patient: dict) -> Iterator[Person]:
    settings = {"max_step": STEP, "pedals__clutch": CLUTCH, "pedals__episode": FOOT}
    with (
        Person(bench, arm) as person,
        bench.start(ARM, auto_enable=True, **patient) as arm_node,
        bench.start(TELEOP, **settings, settle=0.02) as teleop,
    ):
        bench.until(lambda: person.states and person.states[-1].ready)
        bench.matched(person._joy)
        for pedal in person.pedals.values():
            bench.matched(pedal)
        person.drives()
        yield person
        assert teleop.runs
        assert arm_node.runs


@pytest.fixture
def person(someone: Person) -> Person:
    someone.restore()
    return someone


def test_the_stick_moves_the_arm_by_steps_that_the_arm_node_judged(person: Person) -> None:
    commands, moves = len(person.commands), person.moves()
    person.drives(lambda: person.moves() >= moves + 4, axes=(-1.0, 0.5))
    person.axes = [0.0, 0.0]
    person.rests()
    done = person.commands[commands:]
    assert {command.outcome for command in done} == {"sent"}
    assert len(done) == person.moves() - moves, "one command of the arm for each plan"
    assert [list(c.sent) for c in done] == [pytest.approx([STEP, STEP / 2], abs=1e-7)] * len(done)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sends": False}, "no message from the joystick for 0.5 s"),
        ({"axes": [math.nan, 0.0]}, "an axis of the joystick is not finite"),
        ({"axes": [-7.0, 0.0]}, "an axis of the joystick is beyond 1"),
        ({"axes": [-1.0]}, "the joystick has 1 axes, 2 are needed"),
        ({"buttons": []}, "the joystick has 0 buttons, 8 are needed"),
        ({"age": 3.0}, "the joystick's message is more than 0.5 s old"),
        ({"age": -3.0}, "ahead of this computer's clock"),
        ({"stamped": False}, "the joystick's message has no stamp"),
        ({"films": False}, "no camera frame for 1 s"),
    ],
)
def test_what_is_stale_or_bad_moves_nothing_and_is_said_once(
    person: Person, change: dict[str, Any], reason: str
) -> None:
    person.drives()
    for name, value in change.items():
        setattr(person, name, value)
    person.bench.until(lambda: person.said(reason))
    person.rests()
    assert len(person.said(reason)) == 1
    person.restore()
    person.drives()


def test_the_clutch_pedal_lets_nothing_through(person: Person) -> None:
    person.drives()
    person.pedals[CLUTCH].publish(Joy(buttons=[1]))
    person.rests()
    person.pedals[CLUTCH].publish(Joy(buttons=[0]))
    person.drives()


def test_the_clutch_button_lets_nothing_through(person: Person) -> None:
    person.drives()
    person.buttons = [0, 0, 0, 0, 1, 1, 0, 0]
    person.rests()
    person.drives()


def test_nothing_moves_without_the_dead_man_button_or_before_a_release(person: Person) -> None:
    person.axes = [-1.0, 0.0]
    person.bench.until(lambda: person.said("hold button 5 (joy.enable_button)"))
    person.rests()
    person.drives()
    person.sends = False
    person.bench.until(lambda: person.said("no message from the joystick"))
    person.sends = True  # as it was when it fell silent
    person.bench.until(lambda: person.said("stick was not seen released yet"))
    person.rests()
    person.restore()
    person.drives()


def test_two_who_plan_do_not_fight(person: Person) -> None:
    person.drives()
    other = person.bench.node.create_publisher(Plan, "plan", qos.RELIABLE)
    person.bench.until(lambda: person.said("another node plans for this arm: bench"))
    person.rests()
    person.bench.destroy(other)
    person.drives()


def test_an_arm_that_is_not_ready_is_not_commanded(person: Person) -> None:
    person.drives()
    person.axes = [0.0, 0.0]
    person.rests()  # this arm jumps: no stop would find it half-way
    assert person.bench.call("/arm_node/stop").success
    person.drives(lambda: person.said("the arm is not ready: stopped by the operator"))
    person.rests()
    person.axes = [0.0, 0.0]
    person.bench.until(lambda: person.bench.call("/arm_node/arm").success)
    person.drives()


def test_at_the_edge_of_the_workspace_the_arm_node_has_the_last_word(person: Person) -> None:
    person.arm.position[:2] = [0.128, 0.0]
    time.sleep(0.2)
    before = len(person.commands)
    person.drives()
    person.axes = [0.0, 0.0]
    outcomes = {(c.outcome, c.reason) for c in person.commands[before:]}
    assert ("clamped", "the goal is outside the workspace") in outcomes
    assert max(x for x, _, _ in person.arm.moves[-2:]) <= 0.13
    person.bench.until(lambda: person.said("step clamped: the goal is outside the workspace"))


def test_marks_by_button_and_by_pedal(person: Person) -> None:
    def words() -> list[str]:
        return [mark.data for mark in person.marks]

    person.marks.clear()
    person.press(7)
    person.bench.until(lambda: words() == ["start"])
    person.drives()
    person.axes = [0.0, 0.0]
    assert person.commands[-1].episode == 1
    person.press(0)
    person.bench.until(lambda: words() == ["start", "success"])
    for _ in range(2):  # the foot ends this episode, and begins another
        person.pedals[FOOT].publish(Joy(buttons=[0]))
        person.pedals[FOOT].publish(Joy(buttons=[1]))
        time.sleep(0.8)
    person.bench.until(lambda: words() == ["start", "success", "stop", "start"])
    person.press(7)
    person.bench.until(lambda: person.said("an episode runs already"))
    person.press(2)
    person.bench.until(lambda: words()[4:] == ["discard", "stop"])
