"""Paths of the simulated arm from one place to another. No ROS, no physics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from ls3_sim.kinematics import TipPose, Vector

Place = TypeVar("Place")
TURN_SPEED = 1.0
"""Largest speed at which a straight motion turns the tool, rad/s."""


class TimedPath(Generic[Place]):
    """A path with a duration; the place on the path is a pose, or joint positions.

    duration: s. at: returns the place after a share of the duration, from 0 to 1. done: whether the
    path is finished.
    """

    def __init__(self, duration: float, at: Callable[[float], Place]) -> None:
        self.duration, self.at = duration, at
        self.done = False
        self._elapsed = 0.0

    def advance(self, seconds: float) -> Place:
        """Advance by `seconds` and return the place; at the end exactly the goal."""
        self._elapsed += seconds
        self.done = self._elapsed >= self.duration - 1e-9
        return self.at(1.0 if self.done else self._elapsed / self.duration)


def line(start: TipPose, goal: TipPose, speed: float) -> TimedPath[TipPose]:
    """Make a straight path of the tip at constant speed, during which the tool turns.

    If the turn would be faster than TURN_SPEED, the whole motion is slower.

    Args:
        start, goal: poses at both ends.
        speed: of the tip, m/s.
    """
    begin, end = np.array(start.position), np.array(goal.position)
    first, last = np.array(start.orientation), np.array(goal.orientation)
    last = last if first @ last >= 0 else -last  # the shorter of the two turns
    cosine = first @ last / (np.linalg.norm(first) * np.linalg.norm(last))
    angle = 2 * math.acos(min(1.0, float(cosine)))

    def at(share: float) -> TipPose:
        if share >= 1:
            return goal
        position = (1 - share) * begin + share * end
        turned = (1 - share) * first + share * last  # normalised linear interpolation
        return TipPose(tuple(position.tolist()), tuple((turned / np.linalg.norm(turned)).tolist()))

    return TimedPath(max(math.dist(begin, end) / speed, angle / TURN_SPEED), at)


def joint_move(start: Vector, goal: Vector, fastest: Vector) -> TimedPath[Vector]:
    """Make a path on which all joints start and arrive together, from rest to rest.

    The path is cubic in time: after a share t of the duration, 3 t^2 - 2 t^3 of the way is done,
    with at most 3/2 of the mean velocity.

    Args:
        start, goal: joint positions (n,), rad or m.
        fastest: largest velocity of each joint (n,), rad/s or m/s.
    """

    def at(share: float) -> Vector:
        return goal if share >= 1 else start + (3 - 2 * share) * share**2 * (goal - start)

    return TimedPath(1.5 * float(np.max(np.abs(goal - start) / fastest)), at)
