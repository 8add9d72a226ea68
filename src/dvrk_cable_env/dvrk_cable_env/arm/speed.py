"""The measured speed of a tip, from its poses. No ROS."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

WINDOW = 50_000_000
"""Shortest time (ns) over which a speed is measured. A busy program stamps a pose some milliseconds
after its position was true: over 5 ms, a tip of 0.03 m/s seemed to move at 0.4 m/s. A step of 15 mm
that takes less than the window still counts as 0.3 m/s."""


class Speed:
    """The speed between the newest pose and the newest pose at least `WINDOW` older.

    value: m/s; 0 while it is unknown.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self._past: deque[tuple[int, tuple[float, ...]]] = deque()

    def add(self, stamp: int, position: Sequence[float]) -> None:
        """Take a position (m) with its stamp (ns). A stamp of 0 is invalid and ignored."""
        if stamp <= 0:
            return
        if self._past and stamp < self._past[-1][0]:  # the clock was set back
            self._past.clear()
            self.value = 0.0
        self._past.append((stamp, tuple(position)))
        while len(self._past) > 1 and stamp - self._past[1][0] >= WINDOW:
            self._past.popleft()
        before, place = self._past[0]
        if stamp - before >= WINDOW:
            self.value = math.dist(place, position) / (stamp - before) * 1e9
