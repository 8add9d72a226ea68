"""Keeps simulated time in step with wall time."""

from __future__ import annotations


class Pacer:
    """Tells how many ticks are due, so that short delays are made up and long delays are not.

    slipped: wall time that was given up so far, s.

    Args:
        period: wall time per tick, s.
        now: wall time of tick 0, s.
        longest: largest number of ticks at once. Further overdue ticks are given up: simulated time
            falls behind, and `slipped` grows.
    """

    def __init__(self, period: float, now: float, longest: int) -> None:
        self._period, self._origin, self._longest = period, now, longest
        self._done = 0
        self.slipped = 0.0

    def due(self, now: float) -> int:
        """Return the number of ticks to run at wall time `now` (s)."""
        overdue = int((now - self._origin) / self._period) - self._done
        if overdue > self._longest:
            lost = (overdue - self._longest) * self._period
            self._origin += lost
            self.slipped += lost
            overdue = self._longest
        self._done += max(overdue, 0)
        return max(overdue, 0)
