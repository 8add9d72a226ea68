"""Aligns pictures with the static edges of a reference picture, in several sizes. No ROS.

The inverse compositional Lucas-Kanade method (Baker and Matthews, 2004) at the pixels where the
reference has edges. Tukey's weights leave out what hides the static scene, such as cable, tool and
hands, and two more unknowns take up a change of brightness and contrast.

A motion (4,) is the shift (x, y) of the picture's centre, the growth and the turn. It takes a point
(u, v) of the reference to ((1 + growth) u - turn v + x, turn u + (1 + growth) v + y). Coordinates
begin at the centre, in halves of the picture's width: one motion holds for all sizes of a picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation_view import Image

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

FINE, COARSE = 320, 96
"""Largest widths, px, of the pictures in which a motion is measured, and first looked for."""
POINTS = 1000
"""Most pixels of the reference that a level compares."""
LEAST_EDGE = 4.0
"""Grey levels a pixel: weaker edges are noise."""
BLUR = (5, 5), 1.0
"""Size and standard deviation of the blur of a level, px."""
NOISE = 2.0
"""Grey levels: least standard deviation that differences are taken to have."""
TUKEY = 3.0
"""Standard deviations from which on a difference counts nothing."""
GAIN = (0.4, 2.5)
"""Changes of contrast between which two pictures may be of the same scene."""
AGREES = (6.0, 0.5)
"""A pixel agrees if it differs by at most so many grey levels, or is misplaced by so many px."""
UNCERTAIN = 0.25
"""Largest standard deviation, in px of the fine level, of the place of a corner."""
CONVERGED = 1e-4
"""Change of a motion, in halves of the width, that ends the iterations."""


@dataclasses.dataclass(frozen=True)
class Light:
    """How grey levels have changed: seen = gain * reference + bias."""

    gain: float = 1.0
    bias: float = 0.0


class Level:
    """The static edges of the reference in one size, n points at most.

    Attributes:
        width, height: of the picture, px.
        unit: half of the width, px.
        row, column: (n,), the points, px.
        value, strength: (n,), the reference there, in grey levels, and its slope, levels a pixel.
    """

    def __init__(self, picture: Floats, static: NDArray[np.uint8]) -> None:
        self.height, self.width = picture.shape
        self.unit = self.width / 2
        across, down = (
            cv2.Sobel(picture, cv2.CV_32F, 1 - axis, axis, scale=1 / 8) for axis in (0, 1)
        )
        strength = np.hypot(across, down)
        strength[cv2.erode(static, np.ones((7, 7), np.uint8)) == 0] = 0
        border = 3
        strength[:border] = strength[-border:] = 0
        strength[:, :border] = strength[:, -border:] = 0
        count = min(POINTS, int((strength > LEAST_EDGE).sum()))
        chosen = np.argpartition(strength.ravel(), -max(count, 1))[-max(count, 1) :]
        self.row, self.column = np.divmod(chosen, self.width)
        self.value, self.strength = picture.ravel()[chosen], strength.ravel()[chosen]
        self.u = ((self.column - (self.width - 1) / 2) / self.unit).astype(np.float32)
        self.v = ((self.row - (self.height - 1) / 2) / self.unit).astype(np.float32)
        dx, dy = across.ravel()[chosen] * self.unit, down.ravel()[chosen] * self.unit
        u, v, ones = self.u, self.v, np.ones(len(chosen), np.float32)
        # by the four numbers of a motion, and by the relative change of gain and bias
        self.slope = np.stack([dx, dy, dx * u + dy * v, dy * u - dx * v, self.value, ones], axis=1)

    def aligned(
        self, picture: Floats, motion: Matrix, light: Light, iterations: int
    ) -> tuple[Matrix, Light, bool]:
        """Refine a motion and a light, in so many steps at most.

        Returns:
            Both, and whether they have converged.
        """
        for _ in range(iterations):
            difference, inside = self._difference(picture, motion, light)
            size = np.abs(difference)
            spread = 1.4826 * float(np.median(size[inside])) if inside.any() else NOISE
            share = size / (TUKEY * max(spread, NOISE))
            weight = np.where(inside & (share < 1), (1 - share**2) ** 2, 0).astype(np.float32)
            weighted = self.slope * weight[:, None]
            normal = (weighted.T @ self.slope).astype(float) + 1e-3 * np.eye(6)
            step = np.linalg.solve(normal, weighted.T @ difference)
            motion = _without(motion, step[:4])
            gain = light.gain * (1 + float(step[4]))
            light = Light(min(max(gain, GAIN[0]), GAIN[1]), light.bias + light.gain * step[5])
            if np.abs(step[:4]).max() < CONVERGED:
                return motion, light, True
        return motion, light, False

    def agreeing(
        self, picture: Floats, motion: Matrix, light: Light
    ) -> tuple[NDArray[np.bool_], float]:
        """Which points (n,) the picture shows where the motion puts them.

        Returns:
            And their share of the points that it puts inside the picture; 0 if most are outside.
        """
        difference, inside = self._difference(picture, motion, light)
        levels, misplaced = AGREES
        agree = inside & (np.abs(difference) <= levels + misplaced * self.strength)
        if not GAIN[0] < light.gain < GAIN[1] or 2 * inside.sum() < len(inside):
            return agree, 0.0
        return agree, float(agree.sum() / inside.sum())

    def _difference(
        self, picture: Floats, motion: Matrix, light: Light
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Picture minus reference (n,) in the reference's light, and which points are inside."""
        x, y, grow, turn = (np.float32(number) for number in motion)
        one = np.float32(1)
        column = ((one + grow) * self.u - turn * self.v + x) * np.float32(self.unit)
        row = (turn * self.u + (one + grow) * self.v + y) * np.float32(self.unit)
        column += np.float32((self.width - 1) / 2)
        row += np.float32((self.height - 1) / 2)
        inside = (column > 1) & (column < self.width - 2) & (row > 1) & (row < self.height - 2)
        return (_sampled(picture, column, row) - light.bias) / light.gain - self.value, inside


def _sampled(picture: Floats, column: Floats, row: Floats) -> Floats:
    """The picture between its pixels, (n,); cv2.remap would know 32 places in a pixel only."""
    height, width = picture.shape
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    left = np.minimum(np.floor(column), width - 2)
    top = np.minimum(np.floor(row), height - 2)
    right, down = column - left, row - top
    place = (top * width + left).astype(np.int32)
    flat = picture.ravel()
    above = flat[place] * (1 - right) + flat[place + 1] * right
    below = flat[place + width] * (1 - right) + flat[place + width + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float32)


def determined(level: Level, agree: NDArray[np.bool_]) -> bool:
    """Whether points determine a motion: how uncertain noise would leave a corner's place."""
    slope = level.slope[agree].astype(float)
    try:
        covariance = np.linalg.inv(slope.T @ slope)[:4, :4] * (2 * NOISE) ** 2
    except np.linalg.LinAlgError:
        return False
    side = level.height / level.width
    worst = 0.0
    for u, v in ((1, side), (-1, side), (1, -side), (-1, -side)):
        by = np.array([[1, 0, u, -v], [0, 1, v, u]])
        worst = max(worst, float(np.trace(by @ covariance @ by.T)))
    return bool(0 < worst <= (UNCERTAIN / level.unit) ** 2)


def _without(motion: Matrix, step: NDArray[np.floating]) -> Matrix:
    """The motion after the inverse of a small step, both as above."""
    one, other = (
        np.array([[1 + grow, -turn, x], [turn, 1 + grow, y], [0, 0, 1]])
        for x, y, grow, turn in (motion, step)
    )
    made = one @ np.linalg.inv(other)
    return np.array([made[0, 2], made[1, 2], made[0, 0] - 1, made[1, 0]])


class Pictures:
    """The grey picture in decreasing sizes, float32 (height, width), blurred; made when asked for.

    fine: the first of them.
    """

    def __init__(self, rgb: Image) -> None:
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        while grey.shape[1] > FINE:
            grey = _halved(grey)
        self._grey, self.fine = grey, _blurred(grey)

    def __iter__(self) -> Iterator[Floats]:
        grey = self._grey
        yield self.fine
        while grey.shape[1] > COARSE and min(grey.shape) >= 64:
            grey = _halved(grey)
            yield _blurred(grey)


def _halved(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = grey.shape[1] // 2, grey.shape[0] // 2
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _blurred(grey: NDArray[np.uint8]) -> Floats:
    return np.asarray(cv2.GaussianBlur(grey, *BLUR), np.float32)
