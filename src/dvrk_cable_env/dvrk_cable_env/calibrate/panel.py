"""Calibration by hand: the meaning of clicks, sliders and keys, and the window."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.calibrate.colours import (
    TARGETS,
    Pick,
    Range,
    parameters_of,
    preview,
    propose_range,
    ranges_of,
)
from dvrk_cable_env.calibrate.workspace import LIMIT, fit
from dvrk_cable_env.camera.segmentation import Image, NodeConfig
from ls3_common.errors import UserError
from ls3_common.parameters import build, to_dict

SLIDERS = ("hue low", "sat low", "val low", "hue high", "sat high", "val high")
HELP = "1 cable, 2 obstacle, 3 goal: click on it; p: click on the tip; u undo, s save, q quit"
Point = tuple[Pick, tuple[float, float]]
"""A pixel (u, v) and the robot position (x, y) that it shows, m."""


class Panel:
    """State of a calibration by hand, independent of the window.

    config: the configuration so far. target: the object being worked on, one of `TARGETS`.
    message: text for the person. points: pixel and robot position (m) of each touched point.
    leaving: whether the person is done. saving: whether to save.

    Args:
        config: the configuration to start from.
        tip: returns the position (x, y) of the robot's tip, m; None without a robot.
        limit: largest residual of the points, m.
    """

    def __init__(
        self,
        config: NodeConfig,
        tip: Callable[[], NDArray[np.float64]] | None = None,
        limit: float = LIMIT,
    ) -> None:
        self.config = config
        self.target = TARGETS[0]
        self.message = HELP
        self.points: list[Point] = []
        self.leaving = self.saving = False
        self._tip, self._limit = tip, limit
        self._pointing = False
        # each pick with the range before it, for undo
        self._picks: dict[str, list[tuple[Pick, Range]]] = {target: [] for target in TARGETS}

    @property
    def sliders(self) -> tuple[int, ...]:
        """Positions of `SLIDERS` for the present target."""
        chosen = ranges_of(self.config)[self.target]
        return (*chosen.low, *chosen.high)

    def slide(self, index: int, value: int) -> None:
        """Handle a move of slider `index` to `value`."""
        values = list(self.sliders)
        values[index] = value
        self._choose(Range(tuple(values[:3]), tuple(values[3:])))

    def click(self, rgb: Image, pick: Pick) -> None:
        """Handle a click on pixel `pick` of the frame: a pick of the target, or of the tip."""
        try:
            if self._pointing:
                self._point(pick)
                return
            picks, before = self._picks[self.target], ranges_of(self.config)[self.target]
            self._choose(propose_range(rgb, [*(earlier for earlier, _ in picks), pick]))
            picks.append((pick, before))
            self.message = f"{self.target}: {len(picks)} picks"
        except UserError as error:
            self.message = error.what

    def key(self, key: str) -> None:
        """Handle a key, see `HELP`."""
        if key in ("1", "2", "3"):
            self.target, self._pointing = TARGETS[int(key) - 1], False
            self.message = f"{self.target}: click on it, or use the sliders"
        elif key == "p":
            self._pointing = self._tip is not None
            self.message = "guide the tip to the table, then click on it"
            if not self._pointing:
                self.message = "no robot here: give points as --point U V X Y"
        elif key == "u":
            self._undo()
        elif key == "s":
            self._save()
        elif key == "q":
            self.leaving = True

    def _point(self, pick: Pick) -> None:
        assert self._tip is not None
        x, y = self._tip()
        self.points.append((pick, (float(x), float(y))))
        self.message = f"point {len(self.points)}: ({x:.4f}, {y:.4f}) m"

    def _undo(self) -> None:
        if self._pointing and self.points:
            self.points.pop()
            self.message = f"undone, {len(self.points)} points left"
        elif not self._pointing and self._picks[self.target]:
            _, before = self._picks[self.target].pop()
            self._choose(before)
            self.message = f"undone, {len(self._picks[self.target])} picks left"

    def _save(self) -> None:
        """Close and save, if the points agree; otherwise stay, so that no work is lost."""
        try:
            if self.points:
                pixels, places = zip(*self.points, strict=True)
                found = fit(pixels, places, self._limit).homography
                values = to_dict(self.config) | {"homography": found.ravel().tolist()}
                build(NodeConfig, values, "calibrate")
            self.saving = self.leaving = True
        except UserError as error:
            do = error.do or "to undo points: p, then u"
            self.message = f"{error.what.splitlines()[0]}: {do}"

    def _choose(self, chosen: Range) -> None:
        values = {**to_dict(self.config), **parameters_of(self.target, chosen)}
        self.config = build(NodeConfig, values, "calibrate")


def has_window() -> bool:
    """Whether this OpenCV can open windows and there is a display."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(cv2.currentUIFramework()) and bool(display)


def _is_closed(name: str) -> bool:
    """Whether the person closed the window; Qt then raises instead of answering."""
    try:
        return bool(cv2.getWindowProperty(name, cv2.WND_PROP_VISIBLE) < 1)
    except cv2.error:
        return True


def run_window(panel: Panel, frame: Callable[[], Image], height: int = 640) -> None:
    """Show a window until the person saves or leaves.

    Args:
        panel: handles clicks, sliders and keys.
        frame: returns the newest frame, uint8 (height, width, 3).
        height: of the picture in the window, px.

    Raises:
        UserError: no window can be opened.
    """
    if not has_window():
        raise UserError(
            "no window: there is no display, or this OpenCV (-headless) has no windows",
            do="use the python3-opencv of a ROS install, or --pick, --range and --preview",
        )
    name = "calibrate"
    cv2.namedWindow(name)
    rgb = frame()

    def on_mouse(event: int, u: int, v: int, _flags: int, _data: Any) -> None:
        scale = rgb.shape[0] / height
        pick = (u * scale, v * scale)
        if event == cv2.EVENT_LBUTTONDOWN and pick[0] < rgb.shape[1]:
            panel.click(rgb, pick)

    cv2.setMouseCallback(name, on_mouse)
    for index, text in enumerate(SLIDERS):
        top = 179 if index % 3 == 0 else 255

        def moved(value: int, index: int = index) -> None:
            if value != panel.sliders[index]:
                panel.slide(index, value)

        cv2.createTrackbar(text, name, panel.sliders[index], top, moved)
    try:
        while not panel.leaving:
            rgb = frame()
            shown, counts = preview(rgb, panel.config, height)
            numbers = ", ".join(f"{target} {count}" for target, count in counts.items())
            for row, text in enumerate((panel.message, f"[{panel.target}] pixels: {numbers}")):
                place = (8, 20 + 20 * row)
                cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
            cv2.imshow(name, np.ascontiguousarray(shown[..., ::-1]))
            for text, value in zip(SLIDERS, panel.sliders, strict=True):
                cv2.setTrackbarPos(text, name, value)
            pressed = cv2.waitKey(50)
            if pressed > 0:
                panel.key(chr(pressed & 0xFF))
            if _is_closed(name):
                panel.leaving = True
    finally:
        with contextlib.suppress(cv2.error):
            cv2.destroyWindow(name)
