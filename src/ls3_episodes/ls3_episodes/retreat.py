"""The path back to the start pose: the path that the tip came, backwards. No ROS.

Where the obstacle stands is unknown, but where the tip has been is free space. The tip moves in the
plane only, because arm_node keeps its height. Positions are (x, y) in metres in the arm's frame.
"""

from __future__ import annotations

import math

Point = tuple[float, float]
"""A position, or a displacement, (x, y), m."""

EQUAL = 0.0005
"""Positions nearer to each other than this are the same, m: an arm does not stop more exactly."""
REACHED = 0.002
"""An arm that stopped nearer than this to its goal has reached it, m, as for arm_node."""
JUMP = 0.02
"""Distance that a tip cannot move between two poses, m. If it did, a part was not seen."""


class ReturnPath:
    """The path of the tip since the start pose, without loops.

    The path grows with `add` until the first `displacement_back`. From then on it only becomes
    shorter, by as much as the tip has come back, so that the tip never goes forwards again.

    points: from the start pose to the tip, m; empty while no start pose is known.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._tip: Point | None = None
        self._returning = False
        self._goal: tuple[int, Point] | None = None  # of the last displacement, on the path

    @property
    def start(self) -> Point | None:
        """The start pose, m; None if it is unknown."""
        return self.points[0] if self.points else None

    @property
    def length(self) -> float:
        """Length of the path that is left, m."""
        return sum(map(math.dist, self.points, self.points[1:]))

    def begin(self, start: Point) -> None:
        """Begin a new path at the start pose, m."""
        self.points, self._tip = [start], start
        self._returning, self._goal = False, None

    def add(self, tip: Point) -> bool:
        """Add the present position of the tip, m.

        Returns:
            False if the tip jumped, so that its path is unknown.
        """
        last, self._tip = self._tip, tip
        if not self.points:
            return True
        if last is not None and math.dist(last, tip) > JUMP:
            return False
        if self._returning:
            return True
        for index, (begin, end) in enumerate(zip(self.points, self.points[1:], strict=False)):
            foot = _foot(begin, end, tip)
            if math.dist(foot, tip) < EQUAL:  # the tip has been here: what lies between is a loop
                self._cut(index, foot)
                return True
        if math.dist(self.points[-1], tip) >= EQUAL:
            self.points.append(tip)
        return True

    def displacement_back(self, tip: Point, longest: float) -> Point | None:
        """Return the next displacement (dx, dy) back along the path, m; None if the tip is back.

        Args:
            tip: present position of the tip, m. It may lie beside the path, where the arm stopped.
            longest: largest length of the displacement, m.
        """
        self._returning = True
        if self._goal is not None and math.dist(self._goal[1], tip) < REACHED:
            self._cut(*self._goal)
        else:  # the first step, or one that was shortened
            self._cut(*self._nearest(tip, 2 * longest))
        if self.length < EQUAL:
            return None
        self._goal = self._before_end(longest)
        dx, dy = self._goal[1][0] - tip[0], self._goal[1][1] - tip[1]
        share = longest / max(longest, math.hypot(dx, dy))  # the tip may be at the goal already
        return dx * share, dy * share

    def _cut(self, index: int, end: Point) -> None:
        """End the path at `end`, on the piece that begins with the point of this index."""
        del self.points[index + 1 :]
        if math.dist(self.points[-1], end) > 0:
            self.points.append(end)

    def _nearest(self, tip: Point, within: float) -> tuple[int, Point]:
        """The nearest position to the tip on the last `within` metres of the path."""
        best, found = math.inf, (len(self.points) - 1, self.points[-1])
        for index in range(len(self.points) - 2, -1, -1):
            if within <= 0:
                break
            begin, end = self.points[index : index + 2]
            foot = _foot(begin, end, tip)
            if math.dist(foot, tip) < best:
                best, found = math.dist(foot, tip), (index, foot)
            within -= math.dist(begin, end)
        return found

    def _before_end(self, distance: float) -> tuple[int, Point]:
        """The position on the path at this distance before its end, or the start pose."""
        for index in range(len(self.points) - 2, -1, -1):
            begin, end = self.points[index : index + 2]
            piece = math.dist(begin, end)
            if piece >= distance:
                share = distance / piece
                x, y = (e + share * (b - e) for b, e in zip(begin, end, strict=True))
                return index, (x, y)
            distance -= piece
        return 0, self.points[0]


def _foot(begin: Point, end: Point, tip: Point) -> Point:
    """The nearest position to the tip on a straight piece."""
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    along = (tip[0] - begin[0]) * dx + (tip[1] - begin[1]) * dy
    share = min(1.0, max(0.0, along / (dx * dx + dy * dy)))
    return begin[0] + share * dx, begin[1] + share * dy
