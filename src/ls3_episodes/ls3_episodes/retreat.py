"""The path back to the start pose: the path that the tip came, backwards. No ROS.

Where the obstacle stands is unknown, but where the tip has been is free space. The tip moves in the
plane only, because arm_node keeps its height. Positions are (x, y) in metres in the arm's frame.
"""

from __future__ import annotations

import math

Point = tuple[float, float]
"""A position, or a displacement, (x, y), m."""

SPACING = 0.001
"""Distance between points of a path, m. A tip nearer than this to an older point has returned."""
JUMP = 0.02
"""Distance that a tip cannot move between two poses, m. If it did, a part was not seen."""


class ReturnPath:
    """The path of the tip since the start pose, without loops.

    points: from the start pose to the tip, m; empty while no start pose is known.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []

    @property
    def start(self) -> Point | None:
        """The start pose, m; None if it is unknown."""
        return self.points[0] if self.points else None

    @property
    def is_back(self) -> bool:
        """Whether the tip is at the start pose."""
        return len(self.points) == 1

    @property
    def length(self) -> float:
        """Length of the path that is left, m."""
        return sum(map(math.dist, self.points, self.points[1:]))

    def begin(self, start: Point) -> None:
        """Begin a new path at the start pose, m."""
        self.points = [start]

    def add(self, tip: Point) -> bool:
        """Add the present position of the tip, m.

        Returns:
            False if the tip jumped, so that its path is unknown.
        """
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

    def next_displacement(self, tip: Point, longest: float) -> Point:
        """Return the next displacement (dx, dy) back along the path, m.

        Args:
            tip: present position of the tip, m.
            longest: largest length of the displacement, m.
        """
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
