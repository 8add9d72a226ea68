"""What keys mean: a step, a mark, the clutch. Pure: no ROS."""

from __future__ import annotations

import math

from dvrk_cable_env.bags.records import MARKS
from dvrk_cable_env.teleop.teleop_input import STILL

ARROWS = {"\x1b[C": "d", "\x1b[D": "a", "\x1b[A": "w", "\x1b[B": "s"}
ARROWS |= {code.replace("[", "O"): key for code, key in ARROWS.items()}  # of some terminals
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
    """The keyboard of a terminal, which tells presses and no releases.

    A press is a wish for one step, which lapses: a key that is held down repeats itself.
    """

    MAX_AGE = 0.3
    """Seconds for which a press counts; what was not done by then is not done."""

    def __init__(self) -> None:
        self.clutched = False
        self.share = 1.0
        """Of the largest step."""
        self._wish, self._pressed = STILL, -math.inf

    def press(self, text: str, now: float) -> list[str]:
        """What was typed; returns the marks in it. What means nothing does nothing."""
        for code, key in ARROWS.items():
            text = text.replace(code, key)
        if "\x1b" in text:  # another key's sequence: its letters are no keys
            text = text.partition("\x1b")[0]
        marks = []
        for key in text:
            if key in DIRECTIONS:
                x, y = DIRECTIONS[key]
                self._wish, self._pressed = (x * self.share, y * self.share), now
            elif key in SIZES:
                self.share = min(max(self.share * SIZES[key], 0.125), 1.0)
            elif key == CLUTCH_KEY:
                self.clutched, self._wish = not self.clutched, STILL
            elif key in MARK_KEYS:
                marks.append(MARK_KEYS[key])
        return marks

    def wish(self, now: float) -> tuple[float, float]:
        """The newest press as a direction, each axis in [-1, 1]."""
        fresh = 0.0 <= now - self._pressed <= self.MAX_AGE
        return self._wish if fresh and not self.clutched else STILL

    def done(self) -> None:
        """The step was taken: the press means no second one."""
        self._wish = STILL
