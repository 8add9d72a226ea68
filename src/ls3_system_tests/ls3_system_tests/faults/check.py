"""Judges what was observed on DDS. The arithmetic is independent of the filter under test. No ROS.

`sent` is the wall time (ns) at which a sender's middleware sent a message. `stamp` is the stamp in
the message's header (ns of the graph's clock). Positions are the tip's (x, y, z) in metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.arm.stopping import AT_REST
from ls3_system_tests.faults.kinds import HOLD, NO_MOVE, Combination

TOLERANCE_M = 2e-6
"""Rounding: commands travel as double, plans as float32."""
TOLERANCE_S = 0.03
"""The clock, which ticks every 10 ms, may tick between a decision and its message."""
STILL_M = 1e-6
"""A setpoint that changes by no more than this is at rest."""
CLAIM_S, CLAIM_M = 0.5, 2e-4
"""For this time after arm_node said that the arm came to rest, the setpoint of the robot may not
move farther than this."""


class Point(NamedTuple):
    """A setpoint from the robot, or a goal sent to the robot."""

    sent: int
    stamp: int
    x: float
    y: float
    z: float = 0.0


class Ready(NamedTuple):
    """A MotionState of arm_node: whether the node is ready, and if not, the reason."""

    sent: int
    ready: bool
    reason: str


class ArmMove(NamedTuple):
    """An ArmCommand that moves the arm, with the stamp of the camera frame it rests on."""

    stamp: int
    image_stamp: int


@dataclass
class Heard:
    """The messages that were observed during one combination of faults."""

    setpoints: list[Point] = field(default_factory=list)
    """In the order of receipt; the first one is from before the combination."""
    moves: list[Point] = field(default_factory=list)
    """Goals sent to the robot."""
    holds: list[int] = field(default_factory=list)
    """When arm_node told the robot to hold."""
    states: list[Ready] = field(default_factory=list)
    answers: list[ArmMove] = field(default_factory=list)
    before: Point | None = None
    """The last goal before the combination."""


class Onset(NamedTuple):
    """The latest time at which a fault began (ns of wall time), and what the fault demands."""

    demands: str
    began: int


def violations(seen: Heard, limits: ArmLimits, end: int) -> list[str]:
    """Describe every goal and decision to move that breaks a limit, and every false claim.

    Claims count until `end` (ns of wall time), when the faults end: then the scene is reset, which
    puts the tip elsewhere.
    """
    return [*_of_moves(seen, limits), *_of_answers(seen, limits), *_of_claims(seen, end)]


def _of_moves(seen: Heard, limits: ArmLimits) -> Iterator[str]:
    last = seen.before
    setpoints = sorted(seen.setpoints)
    for move in sorted(seen.moves):
        goal = (move.x, move.y)
        if not all(map(math.isfinite, (*goal, move.z))):
            yield f"a goal that is not finite: {(*goal, move.z)}"
            continue
        for value, low, high in zip(goal, limits.low, limits.high, strict=True):
            if not low - TOLERANCE_M <= value <= high + TOLERANCE_M:
                yield f"a goal outside the workspace: {value:.6f} m, not in [{low:g}, {high:g}]"
        begin = next((p for p in reversed(setpoints) if p.sent <= move.sent), None)
        if begin is None:
            yield "a goal before any setpoint was known"
        else:
            if abs(move.z - begin.z) > limits.max_height_change:
                yield f"a goal {move.z - begin.z:.6f} m above the tip"
            step = (move.x - begin.x, move.y - begin.y)
            if max(map(abs, step)) > limits.max_step + TOLERANCE_M:
                yield f"a step of {step[0]:.6f}, {step[1]:.6f} m, allowed {limits.max_step:g} m"
            if last is not None and move.stamp > last.stamp:  # else the clock was restarted
                elapsed = (move.stamp - last.stamp) * 1e-9 + TOLERANCE_S
                longest = min(
                    limits.max_mean_speed * elapsed, limits.max_mean_acceleration * elapsed**2
                )
                if math.hypot(*step) > longest + TOLERANCE_M:
                    yield f"a step of {math.hypot(*step):.6f} m {elapsed:.3f} s after the last"
        last = move


def _of_answers(seen: Heard, limits: ArmLimits) -> Iterator[str]:
    for answer in seen.answers:
        age = (answer.stamp - answer.image_stamp) * 1e-9
        if answer.image_stamp <= 0 or not -limits.max_clock_skew <= age <= limits.max_image_age:
            yield f"a step on a frame {age:.3f} s old, allowed {limits.max_image_age:g} s"


def _of_claims(seen: Heard, end: int) -> Iterator[str]:
    """Describe each stop that arm_node called a stop although the arm went on."""
    told = set[str]()
    for state in sorted(seen.states):
        if AT_REST not in state.reason or state.reason in told:
            continue
        told.add(state.reason)
        until = min(state.sent + CLAIM_S * 1e9, end)
        after = [p for p in sorted(seen.setpoints) if state.sent <= p.sent <= until]
        if after and not any(state.sent <= move.sent <= until for move in seen.moves):
            gone = max(math.dist(point[2:], after[0][2:]) for point in after)
            if gone > CLAIM_M:
                yield f"'{state.reason}' was said, but the arm went on by {gone:.4f} m"


def hold_ms(seen: Heard, onsets: Sequence[Onset], end: int, arm_lives: bool) -> float | None:
    """Return the longest time (ms) from the onset of a fault to the reaction that it demands.

    HOLD: until arm_node sent a hold, and no goal after the hold. NO_MOVE: until the last goal was
    sent, or 0 if none was sent; the step that was under way may end, inside the limits.

    Args:
        seen: the observed messages.
        onsets: the beginnings of the faults.
        end: when the faults ended (ns of wall time).
        arm_lives: whether arm_node runs, and can send a hold.

    Returns:
        Milliseconds; infinity if a hold never came; None if no fault demands a reaction, or the arm
        was held already.
    """
    times = [
        _one_hold(seen, onset, end, arm_lives)
        for onset in onsets
        if not _held_before(seen, onset, onsets)
    ]
    return max((time for time in times if time is not None), default=None)


def _held_before(seen: Heard, onset: Onset, onsets: Sequence[Onset]) -> bool:
    """Return whether an earlier fault had the arm held, and no goal followed before this onset.

    arm_node's state cannot answer this: "not ready" may be sent a little after the hold.
    """
    earlier = [one.began for one in onsets if one.demands == HOLD and one.began < onset.began]
    if not earlier or onset.demands != HOLD:
        return False
    hold = max((sent for sent in seen.holds if min(earlier) <= sent <= onset.began), default=None)
    return hold is not None and not any(hold <= move.sent <= onset.began for move in seen.moves)


def _one_hold(seen: Heard, onset: Onset, end: int, arm_lives: bool) -> float | None:
    if onset.demands == HOLD and arm_lives:
        before = [state for state in sorted(seen.states) if state.sent <= onset.began]
        if before and not before[-1].ready:
            return None  # the arm was held already
        hold = min((sent for sent in seen.holds if onset.began <= sent <= end), default=None)
        if hold is None:
            return math.inf
        last = max((m.sent for m in seen.moves if onset.began <= m.sent <= end), default=hold)
        return (max(hold, last) - onset.began) / 1e6
    if onset.demands in (NO_MOVE, HOLD):
        moves = [move.sent for move in seen.moves if onset.began <= move.sent <= end]
        return (max(moves) - onset.began) / 1e6 if moves else 0.0
    return None


def rest_ms(seen: Heard, onsets: Sequence[Onset], end: int) -> float | None:
    """Return for how long (ms) after the first onset the robot's setpoint still changed.

    None if no fault demands a reaction. The arguments are those of `hold_ms`.
    """
    began = min((onset.began for onset in onsets if onset.demands in (NO_MOVE, HOLD)), default=None)
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
    """Return whether arm_node can send a hold: no fault of a combination kills or stops it."""
    return not any(fault.node == "arm" and fault.how != "hangup" for fault in combination.faults)
