"""The meaning of keys: a step, a mark, the clutch. No ROS."""

from __future__ import annotations

import math

from dvrk_cable_env.bags.records import MARKS
from dvrk_cable_env.teleop.teleop_input import NEUTRAL

ARROWS = {"\x1b[C": "d", "\x1b[D": "a", "\x1b[A": "w", "\x1b[B": "s"}
ARROWS |= {code.replace("[", "O"): key for code, key in ARROWS.items()}  # application mode
DIRECTIONS = {
    "d": (1, 0),
    "a": (-1, 0),
    "w": (0, 1),
    "s": (0, -1),
    "e": (1, 1),
    "q": (-1, 1),
    "c": (1, -1),
    "z": (-1, -1),
}
SIZES = {"+": 2.0, "-": 0.5}
CLUTCH_KEY = " "
MARK_KEYS = dict(zip("12345", MARKS, strict=True))
HELP = (
    "arrows or w a s d (diagonal: q e z c): one step; + -: longer, shorter steps; "
    "space: clutch; "
    + ", ".join(f"{key}: {mark}" for key, mark in MARK_KEYS.items())
    + "; Ctrl-C: leave"
)


class Keys:
    """Interprets the keys typed in a terminal, which reports presses but no releases.

    A press asks for one step and lapses soon; a key that is held down repeats.

    clutched: whether the clutch is on. scale: share of the largest step, in (0, 1].
    """

    MAX_AGE = 0.3
    """Seconds for which a press counts."""

    def __init__(self) -> None:
        self.clutched = False
        self.scale = 1.0
        self._deflection, self._pressed = NEUTRAL, -math.inf

    def press(self, text: str, now: float) -> list[str]:
        """Take the typed text and return the marks in it; unknown keys do nothing."""
        for code, key in ARROWS.items():
            text = text.replace(code, key)
        if "\x1b" in text:  # the escape sequence of another key: its letters are not keys
            text = text.partition("\x1b")[0]
        marks = []
        for key in text:
            if key in DIRECTIONS:
                x, y = DIRECTIONS[key]
                self._deflection, self._pressed = (x * self.scale, y * self.scale), now
            elif key in SIZES:
                self.scale = min(max(self.scale * SIZES[key], 0.125), 1.0)
            elif key == CLUTCH_KEY:
                self.clutched, self._deflection = not self.clutched, NEUTRAL
            elif key in MARK_KEYS:
                marks.append(MARK_KEYS[key])
        return marks

    def deflection(self, now: float) -> tuple[float, float]:
        """Return the newest press as a deflection (x, y), each in [-1, 1]."""
        fresh = 0.0 <= now - self._pressed <= self.MAX_AGE
        return self._deflection if fresh and not self.clutched else NEUTRAL

    def consume(self) -> None:
        """Forget the newest press: its step was taken."""
        self._deflection = NEUTRAL
