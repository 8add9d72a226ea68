"""When a step or a mark goes out: the pure part of teleop_node."""

from __future__ import annotations

from typing import Any

import pytest

from dvrk_cable_env.teleop.teleop import (
    ANSWER_TIMEOUT,
    BACK_OFF,
    FRAME_SILENCE,
    MARK_TIMEOUT,
    MotionStatus,
    Pilot,
)

pytestmark = pytest.mark.background

MS = 1_000_000


class World:
    """A Pilot, a camera and an arm that answers; times in seconds, stamps in ns."""

    def __init__(self, **options: Any) -> None:
        self.pilot, self.now = Pilot(0.1, **options), 0.0
        self.still(0.0)
        self.frame(0.2)

    def frame(self, at: float) -> None:
        self.now = at
        self.pilot.receive_frame(int(at * 1000) * MS, at)

    def still(self, at: float, episode: int = 0, step: int = 0, ready: bool = True) -> None:
        reason = "" if ready else "disarmed"
        self.pilot.receive_motion(
            MotionStatus(False, ready, reason, int(at * 1000) * MS, episode, step)
        )

    def free(self) -> bool:
        return not self.pilot.refusal(self.now) and not self.pilot.waiting(self.now)

    def order(self) -> Any:
        assert self.free()
        return self.pilot.next_step((0.01, 0.0), self.now)

    def answer(self, order: Any, outcome: str = "sent") -> None:
        stamp = int(self.now * 1000) * MS
        assert self.pilot.receive_command(order.episode, order.step, outcome, stamp, self.now)

    def step(self) -> Any:
        """A step from order to frame."""
        order = self.order()
        self.answer(order)
        self.still(self.now + 0.2, order.episode, order.step)
        self.frame(self.now + 0.4)
        return order

    def mark(self, word: str) -> None:
        assert self.pilot.request_mark(word, self.now) == ""
        for mark in self.pilot.due_marks(self.now):
            self.pilot.receive_mark(mark)


def test_a_step_rests_on_a_frame_after_the_last_motion_and_its_rest() -> None:
    world = World()
    first = world.order()
    assert (first.episode, first.step, first.stamp) == (0, 0, 200 * MS)
    assert not world.free(), "one at a time"
    world.answer(first)
    world.frame(0.4)
    assert not world.free(), "its motion has not been seen to end"
    world.still(0.5)
    world.frame(0.59)
    assert not world.free(), "the frame is from before the rest"
    world.frame(0.6)
    assert world.order().step == 1


def test_a_motion_state_of_before_does_not_end_a_motion() -> None:
    world = World()
    world.still(0.1, episode=0, step=0)
    world.frame(0.3)
    world.answer(world.order())
    world.frame(0.8)
    assert not world.free()


def test_a_refused_step_keeps_its_number_and_waits() -> None:
    world = World()
    world.answer(world.order(), "refused")
    world.now += 0.1
    assert not world.free()
    world.frame(world.now + BACK_OFF)
    assert world.order().step == 0


def test_who_does_not_answer_is_not_asked_at_once_again() -> None:
    world = World()
    world.order()
    world.frame(0.2 + ANSWER_TIMEOUT + 0.1)
    assert world.pilot.refusal(world.now) == "arm_node does not answer"
    assert not world.free()
    world.frame(world.now + BACK_OFF)
    assert world.order().step == 0


def test_an_arm_that_is_not_ready_and_a_silent_camera_are_named() -> None:
    pilot = Pilot(0.1)
    assert pilot.refusal(0.0) == "no message from arm_node yet"
    world = World()
    world.still(0.1, ready=False)
    assert world.pilot.refusal(0.2) == "the arm is not ready: disarmed"
    world.still(0.1)
    assert world.pilot.refusal(0.2 + FRAME_SILENCE + 0.1) == "no camera frame for 1 s"
    unseen = Pilot(0.1)
    unseen.receive_motion(MotionStatus(False, True, "", 0, 0, 0))
    unseen.receive_frame(0, 0.0)
    assert unseen.refusal(0.0) == "no camera frame yet", "stamp 0 is invalid"


def test_a_fault_in_a_motion_ends_it() -> None:
    world = World()
    world.answer(world.order())
    world.still(0.5, ready=False)
    world.still(0.6)
    world.frame(0.8)
    assert world.free()


def test_episodes_are_numbered_and_their_steps_begin_at_0() -> None:
    world = World()
    assert [world.step().step for _ in range(2)] == [0, 1]
    world.mark("start")
    assert [(o.episode, o.step) for o in (world.step(), world.step())] == [(1, 0), (1, 1)]
    world.mark("stop")
    assert (world.step().episode, world.step().step) == (0, 3)
    world.mark("start")
    order = world.step()
    assert (order.episode, order.step) == (2, 0)


def test_a_stop_waits_until_the_last_step_is_seen() -> None:
    world = World()
    world.mark("start")
    order = world.order()
    assert world.pilot.request_mark("stop", world.now) == ""
    assert world.pilot.due_marks(world.now) == []
    world.answer(order)
    assert world.pilot.due_marks(world.now) == []
    world.still(0.5, order.episode, order.step)
    assert world.pilot.due_marks(world.now) == []
    world.frame(0.6)
    assert not world.free(), "no further step before the stop"
    assert world.pilot.due_marks(world.now) == ["stop"]
    assert not world.free(), "nor before it was heard"
    world.pilot.receive_mark("stop")
    assert world.order().episode == 0


def test_a_stop_does_not_wait_for_ever() -> None:
    world = World()
    world.mark("start")
    world.order()
    world.pilot.request_mark("stop", world.now)
    assert world.pilot.due_marks(world.now + MARK_TIMEOUT - 0.1) == []
    assert world.pilot.due_marks(world.now + MARK_TIMEOUT) == ["stop"]


def test_a_discard_ends_a_running_episode_and_may_come_after_it() -> None:
    world = World()
    world.mark("start")
    assert world.pilot.request_mark("discard", world.now) == ""
    assert world.pilot.due_marks(world.now) == ["discard", "stop"]
    world.pilot.receive_mark("discard")
    world.pilot.receive_mark("stop")
    assert not world.pilot.running
    world.pilot.request_mark("discard", world.now)
    assert world.pilot.due_marks(world.now) == ["discard"]


def test_marks_that_make_no_sense_are_refused() -> None:
    world = World()
    assert "no episode" in world.pilot.request_mark("stop", 0.0)
    assert "no episode" in world.pilot.request_mark("success", 0.0)
    world.mark("start")
    assert "runs already" in world.pilot.request_mark("start", 0.0)
    assert world.pilot.request_mark("success", 0.0) == ""
    assert world.pilot.due_marks(world.now) == ["success"], "it waits for nothing"


def test_a_start_that_never_comes_back_is_given_up() -> None:
    world = World()
    world.pilot.request_mark("start", world.now)
    assert world.pilot.due_marks(world.now) == ["start"]
    assert world.pilot.lost_mark(world.now + ANSWER_TIMEOUT - 0.1) == ""
    assert world.pilot.lost_mark(world.now + ANSWER_TIMEOUT) == "start"
    assert world.pilot.request_mark("start", world.now) == "", "it may be marked again"


def test_marks_of_others_count() -> None:
    world = World()
    world.pilot.receive_mark("Start random")
    assert world.order().episode == 1
    assert "runs already" in world.pilot.request_mark("start", world.now)


def test_who_only_marks_waits_for_no_arm() -> None:
    pilot = Pilot(0.1, drives=False)
    for mark in ("start", "stop"):
        assert pilot.request_mark(mark, 0.0) == ""
        assert pilot.due_marks(0.0) == [mark]
        pilot.receive_mark(mark)
