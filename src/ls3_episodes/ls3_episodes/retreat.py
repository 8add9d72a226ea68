"""The way back to the start pose: the one that the tip came, backwards. Pure: no ROS.

Where the obstacle stands on the arm's plane nobody tells; where the tip has been it is free. The
height is not ours to leave: the filter below moves in the plane only. Positions are (x, y) in
metres, in the frame of the arm.
"""

from __future__ import annotations

import math

Point = tuple[float, float]

SPACING = 0.001
"""Metres between the points of a way; one nearer than this to an older one has come back to it."""
JUMP = 0.02
"""Metres that a tip does not move from one pose to the next; what lies between was not seen."""


class Way:
    """Where the tip has been since the start pose, without the loops."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        """From the start pose to where the tip is; empty while no start pose is known."""

    @property
    def start(self) -> Point | None:
        return self.points[0] if self.points else None

    @property
    def is_back(self) -> bool:
        """Whether the tip is at the start pose."""
        return len(self.points) == 1

    @property
    def length(self) -> float:
        """Metres of it that are left."""
        return sum(map(math.dist, self.points, self.points[1:]))

    def begin(self, start: Point) -> None:
        """The tip is at the start pose."""
        self.points = [start]

    def add(self, tip: Point) -> bool:
        """The tip is here now; False where it jumped, and how it came is not known."""
        if not self.points:
            return True
        if math.dist(self.points[-1], tip) > JUMP:
            return False
        for index, point in enumerate(self.points):
            if math.dist(point, tip) < SPACING:
                del self.points[index + 1 :]
                return True
        self.points.append(tip)
        return True

    def back(self, tip: Point, longest: float) -> Point:
        """The next displacement, at most `longest` metres, that leads back along the way."""
        left, goal = longest, tip
        for point in reversed(self.points):
            left -= math.dist(goal, point)
            if left < 0:
                break
            goal = point
        if goal == tip:  # even the nearest point is farther than one step
            goal = next(p for p in reversed(self.points) if math.dist(p, tip) > 0)
        dx, dy = goal[0] - tip[0], goal[1] - tip[1]
        share = min(1.0, longest / math.hypot(dx, dy))
        return dx * share, dy * share
