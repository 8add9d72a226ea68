"""The ways from one place of the simulated arm to another. Pure: no ROS, no physics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from ls3_sim.kinematics import Pose, Vector

Place = TypeVar("Place")
TURN_SPEED = 1.0
"""Greatest speed at which a straight motion turns the tool (rad/s)."""


class TimedPath(Generic[Place]):
    """A way that takes `duration` seconds; `at` gives the place after a share of them, 0 to 1."""

    def __init__(self, duration: float, at: Callable[[float], Place]) -> None:
        self.duration, self.at = duration, at
        self.done = False
        self._elapsed = 0.0

    def advance(self, seconds: float) -> Place:
        """The place after `seconds` more; at the end it is the goal itself."""
        self._elapsed += seconds
        self.done = self._elapsed >= self.duration - 1e-9
        return self.at(1.0 if self.done else self._elapsed / self.duration)


def line(start: Pose, goal: Pose, speed: float) -> TimedPath[Pose]:
    """The tip goes straight and at a constant speed (m/s), and turns on the way.

    Where the turn would be faster than TURN_SPEED, the whole motion is slower.
    """
    begin, end = np.array(start.position), np.array(goal.position)
    first, last = np.array(start.orientation), np.array(goal.orientation)
    last = last if first @ last >= 0 else -last  # the short way round
    cosine = first @ last / (np.linalg.norm(first) * np.linalg.norm(last))
    angle = 2 * math.acos(min(1.0, float(cosine)))

    def at(share: float) -> Pose:
        if share >= 1:
            return goal
        position = (1 - share) * begin + share * end
        turned = (1 - share) * first + share * last  # normalised linear interpolation
        return Pose(tuple(position.tolist()), tuple((turned / np.linalg.norm(turned)).tolist()))

    return TimedPath(max(math.dist(begin, end) / speed, angle / TURN_SPEED), at)


def joint_move(start: Vector, goal: Vector, fastest: Vector) -> TimedPath[Vector]:
    """All joints (n,) start and arrive together, from rest to rest, none faster than `fastest`.

    Cubic in time: after a share t of the duration 3 t^2 - 2 t^3 of the way, at most 3/2 of the
    mean velocity. Radians or metres, and the same per second.
    """

    def at(share: float) -> Vector:
        return goal if share >= 1 else start + (3 - 2 * share) * share**2 * (goal - start)

    return TimedPath(1.5 * float(np.max(np.abs(goal - start) / fastest)), at)
