"""Simulated time against wall time."""

from __future__ import annotations


class Pacer:
    """Says how many ticks are due, so that late wake-ups are made good and long stalls are not.

    Args:
        period: wall seconds per tick.
        now: wall time (s) of tick 0.
        longest: ticks at once at most; what is owed beyond is given up, simulated time falls
            behind and `slipped` (wall seconds) grows.
    """

    def __init__(self, period: float, now: float, longest: int) -> None:
        self._period, self._origin, self._longest = period, now, longest
        self._done = 0
        self.slipped = 0.0

    def due(self, now: float) -> int:
        """Ticks to run now."""
        owed = int((now - self._origin) / self._period) - self._done
        if owed > self._longest:
            lost = (owed - self._longest) * self._period
            self._origin += lost
            self.slipped += lost
            owed = self._longest
        self._done += max(owed, 0)
        return max(owed, 0)
