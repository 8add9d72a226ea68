"""The measured speed of a tip, from its poses. No ROS."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

SHORTEST = 5_000_000
"""Shortest time (ns) over which a speed is measured: a robot's stamps are exact to a fraction of a
millisecond, and poses may come at 1 kHz."""
KEPT = 32
"""Number of poses that are remembered."""


class Speed:
    """The speed between the newest pose and the newest pose at least `SHORTEST` older.

    value: m/s; 0 while it is unknown.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self._past: deque[tuple[int, tuple[float, ...]]] = deque(maxlen=KEPT)

    def add(self, stamp: int, position: Sequence[float]) -> None:
        """Take a position (m) with its stamp (ns). A stamp of 0 is invalid and ignored."""
        if stamp <= 0:
            return
        if self._past and stamp < self._past[-1][0]:  # the clock was set back
            self._past.clear()
            self.value = 0.0
        for before, place in reversed(self._past):
            if stamp - before >= SHORTEST:
                self.value = math.dist(place, position) / (stamp - before) * 1e9
                break
        self._past.append((stamp, tuple(position)))
