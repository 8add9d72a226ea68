"""Judges what was seen on DDS, with arithmetic of its own: the filter under test is not asked.

Pure: no ROS. `sent` is when a sender's middleware gave a message away (ns of wall time), `stamp`
is its header's (ns of the graph's clock). Positions are the tip's (x, y) in metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dvrk_cable_env.arm.limits import ArmLimits
from ls3_system_tests.faults.kinds import HOLD, NO_MOVE, Combination

LOOSE_M = 2e-6
"""Commands travel as double, plans as float32."""
LOOSE_S = 0.03
"""The clock may tick between a decision and its message; ours ticks each 10 ms."""
STILL_M = 1e-6


class Point(NamedTuple):
    """A setpoint that the robot told, or a goal that it was sent."""

    sent: int
    stamp: int
    x: float
    y: float


class Ready(NamedTuple):
    """Whether arm_node called itself ready."""

    sent: int
    ready: bool
    reason: str


class ArmMove(NamedTuple):
    """An arm_command that moves the arm."""

    stamp: int
    image_stamp: int


@dataclass
class Heard:
    """What was heard, in the order of sending; `setpoints` begins with one before the rest."""

    setpoints: list[Point] = field(default_factory=list)
    moves: list[Point] = field(default_factory=list)
    holds: list[int] = field(default_factory=list)
    states: list[Ready] = field(default_factory=list)
    answers: list[ArmMove] = field(default_factory=list)
    before: Point | None = None
    """The last move before these."""


class Loss(NamedTuple):
    """One fault and when it began, at the latest (ns of wall time)."""

    takes: str
    began: int


def violations(seen: Heard, limits: ArmLimits) -> list[str]:
    """Every goal sent to the robot, and every decision to move, that breaks a limit."""
    return [*_of_moves(seen, limits), *_of_answers(seen, limits)]


def _of_moves(seen: Heard, limits: ArmLimits) -> Iterator[str]:
    last = seen.before
    setpoints = sorted(seen.setpoints)
    for move in sorted(seen.moves):
        goal = (move.x, move.y)
        if not all(map(math.isfinite, goal)):
            yield f"a goal that is not finite: {goal}"
            continue
        for value, low, high in zip(goal, limits.low, limits.high, strict=True):
            if not low - LOOSE_M <= value <= high + LOOSE_M:
                yield f"a goal outside the workspace: {value:.6f} m, not in [{low:g}, {high:g}]"
        begin = next((p for p in reversed(setpoints) if p.sent <= move.sent), None)
        if begin is None:
            yield "a goal before any setpoint was known"
        else:
            step = (move.x - begin.x, move.y - begin.y)
            if max(map(abs, step)) > limits.max_step + LOOSE_M:
                yield f"a step of {step[0]:.6f}, {step[1]:.6f} m, allowed {limits.max_step:g} m"
            if last is not None and move.stamp > last.stamp:  # else the clock began anew
                elapsed = (move.stamp - last.stamp) * 1e-9 + LOOSE_S
                longest = min(limits.max_velocity * elapsed, limits.max_acceleration * elapsed**2)
                if math.hypot(*step) > longest + LOOSE_M:
                    yield f"a step of {math.hypot(*step):.6f} m {elapsed:.3f} s after the last"
        last = move


def _of_answers(seen: Heard, limits: ArmLimits) -> Iterator[str]:
    for answer in seen.answers:
        age = (answer.stamp - answer.image_stamp) * 1e-9
        if answer.image_stamp <= 0 or not -limits.max_clock_skew <= age <= limits.max_image_age:
            yield f"a step on a frame {age:.3f} s old, allowed {limits.max_image_age:g} s"


def hold_ms(seen: Heard, losses: Sequence[Loss], end: int, arm_lives: bool) -> float | None:
    """How long after its loss the arm was held, of the slowest loss; None where none counts.

    What takes the robot's state or the right to move it: until arm_node's `hold` was sent. What
    takes what a new step needs: until the last goal was sent, 0 where none was; the step that is
    under way then goes to its end, inside the limits. A hold that never came is infinite.

    Args:
        end: when the faults were taken back (ns of wall time).
        arm_lives: whether arm_node is there to send a hold.
    """
    times = [
        _one_hold(seen, loss, end, arm_lives)
        for loss in losses
        if not _held_before(seen, loss, losses)
    ]
    return max((time for time in times if time is not None), default=None)


def _held_before(seen: Heard, loss: Loss, losses: Sequence[Loss]) -> bool:
    """Whether the arm was told to hold, and not to move after that, because of an earlier loss.

    Only then: arm_node's own word that it is not ready may come a little after its `hold`.
    """
    earlier = [one.began for one in losses if one.takes == HOLD and one.began < loss.began]
    if not earlier or loss.takes != HOLD:
        return False
    hold = max((sent for sent in seen.holds if min(earlier) <= sent <= loss.began), default=None)
    return hold is not None and not any(hold <= move.sent <= loss.began for move in seen.moves)


def _one_hold(seen: Heard, loss: Loss, end: int, arm_lives: bool) -> float | None:
    if loss.takes == HOLD and arm_lives:
        before = [state for state in sorted(seen.states) if state.sent <= loss.began]
        if before and not before[-1].ready:
            return None  # it was held already
        hold = min((sent for sent in seen.holds if loss.began <= sent <= end), default=None)
        if hold is None:
            return math.inf
        last = max((m.sent for m in seen.moves if loss.began <= m.sent <= end), default=hold)
        return (max(hold, last) - loss.began) / 1e6
    if loss.takes in (NO_MOVE, HOLD):
        moves = [move.sent for move in seen.moves if loss.began <= move.sent <= end]
        return (max(moves) - loss.began) / 1e6 if moves else 0.0
    return None


def rest_ms(seen: Heard, losses: Sequence[Loss], end: int) -> float | None:
    """How long after the first loss the robot's setpoint still changed; None without a loss."""
    began = min((loss.began for loss in losses if loss.takes in (NO_MOVE, HOLD)), default=None)
    if began is None:
        return None
    changes = [
        after.sent
        for before, after in zip(seen.setpoints, seen.setpoints[1:], strict=False)
        if math.hypot(after.x - before.x, after.y - before.y) > STILL_M
        and began <= after.sent <= end
    ]
    return (max(changes) - began) / 1e6 if changes else 0.0


def arm_lives(combination: Combination) -> bool:
    """Whether arm_node runs on through all of a combination."""
    return not any(fault.node == "arm" for fault in combination.faults)
