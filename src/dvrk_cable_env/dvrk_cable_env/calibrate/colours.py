"""Proposes colour ranges from pixels that a person picked, and draws what the ranges select.

Colours are OpenCV HSV: hue 0 to 179 on a circle, saturation and value 0 to 255.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvrk_cable_env.camera.segmentation import Image, SegmentationConfig, in_range, scene_view
from ls3_common.errors import UserError

TARGETS = ("cable", "obstacle", "goal")
"""The objects whose colours segmentation_node needs to know."""
PAINT = {"cable": (255, 255, 0), "obstacle": (0, 255, 255), "goal": (255, 0, 255)}
HUES = 180
"""Number of hues on OpenCV's circle."""
MIN_SATURATION = 40
"""A less saturated colour is grey, and its hue is noise of the camera."""
MIN_VALUE = 20
"""A darker colour is noise of the camera."""
HUE_SPREAD = 20
"""Largest difference of hue between one pick and all picks together."""
Pick = tuple[float, float]
"""A pixel (u, v) that a person picked."""


@dataclasses.dataclass(frozen=True)
class Range:
    """A colour range: lower and upper bound (hue, saturation, value), both included.

    A range whose lower hue is above its upper hue wraps through red.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]


def propose_range(
    rgb: Image, picks: Sequence[Pick], radius: int = 1, hue: int = 8, saturation: int = 60
) -> Range:
    """Propose the colour range of an object from a few picked pixels.

    The middle 90 % of the pixels near the picks count, so that a pick that lies half beside a thin
    cable does no harm. The range extends them for other light and for shade: by `hue` on both
    sides, downwards by `saturation` and to half of the value. There is no upper bound of
    saturation and value.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        picks: pixels (u, v) on the object.
        radius: of the square neighbourhood of a pick, px.
        hue: margin on the hue circle.
        saturation: margin below the least saturated pixel.

    Raises:
        UserError: there is no pick, or a pick lies outside the frame, is grey, or differs in hue
            from the others. The message names the pick.
    """
    if not picks:
        raise UserError("no pixel was picked", do="pick a few on the object, in light and in shade")
    hsv = _hsv(rgb)
    patches = [_patch(hsv, pick, radius) for pick in picks]
    for pick, patch in zip(picks, patches, strict=True):
        if np.median(patch[:, 1]) < MIN_SATURATION:
            raise UserError(
                f"pick {_text(pick)} is grey: it has no hue",
                do="pick coloured pixels, or mark the object with coloured tape",
            )
    centres = [_middle_hue(patch[patch[:, 1] >= MIN_SATURATION, 0]) for patch in patches]
    middle = _middle_hue(np.array(centres))
    for pick, centre in zip(picks, centres, strict=True):
        if abs(_hue_difference(centre - middle)) > HUE_SPREAD:
            raise UserError(
                f"pick {_text(pick)} has hue {centre:.0f}, the picks together {middle:.0f}",
                do="leave this pick out, or pick more pixels on the object",
            )
    pixels = np.concatenate(patches)
    pixels = pixels[pixels[:, 1] >= MIN_SATURATION].astype(float)
    differences = _hue_difference(pixels[:, 0] - middle)
    first, last = np.percentile(differences, (5, 95))
    colour, value = np.percentile(pixels[:, 1:], 5, axis=0)
    return Range(
        (
            int(np.floor(middle + first - hue)) % HUES,
            max(MIN_SATURATION, int(colour) - saturation),
            max(MIN_VALUE, int(value / 2)),
        ),
        (int(np.ceil(middle + last + hue)) % HUES, 255, 255),
    )


def ranges_of(config: SegmentationConfig) -> dict[str, Range]:
    """Return the colour range of each of `TARGETS` in a configuration."""
    return {
        target: Range(getattr(config, f"{target}_low"), getattr(config, f"{target}_high"))
        for target in TARGETS
    }


def parameters_of(target: str, chosen: Range) -> dict[str, tuple[int, ...]]:
    """Convert a target's range to parameters of segmentation_node, by parameter name."""
    return {f"{target}_low": chosen.low, f"{target}_high": chosen.high}


def overlapping_ranges(config: SegmentationConfig) -> list[str]:
    """List the pairs of targets whose colour ranges overlap, so that one pixel could be both.

    Returns:
        One text for each pair, e.g. ``cable and goal``.
    """
    found = []
    ranges = ranges_of(config)
    for index, target in enumerate(TARGETS):
        for other in TARGETS[index + 1 :]:
            first, second = ranges[target], ranges[other]
            saturation_and_value_overlap = all(
                max(first.low[i], second.low[i]) <= min(first.high[i], second.high[i])
                for i in (1, 2)
            )
            if saturation_and_value_overlap and (_hues(first) & _hues(second)).any():
                found.append(f"{target} and {other}")
    return found


def preview(
    rgb: Image, config: SegmentationConfig, height: int = 480
) -> tuple[Image, dict[str, int]]:
    """Draw a frame with the selected pixels outlined, and the masks of the scene beside it.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        config: colour ranges, and crop or view of the scene.
        height: of the drawing, px.

    Returns:
        The drawing, uint8 (height, frame width + height after scaling, 3), and the number of
        selected pixels in the scene by target.

    Raises:
        FrameError: the frame is unusable.
    """
    scene = _hsv(scene_view(rgb, config))
    scale = height / rgb.shape[0]
    size = (round(rgb.shape[1] * scale), height)
    left = cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST)
    right = np.zeros((height, height, 3), np.uint8)
    counts = {}
    for target, chosen in ranges_of(config).items():
        mask = in_range(scene, chosen.low, chosen.high)
        counts[target] = int(mask.sum())
        right[_enlarged(mask, (height, height)) > 0] = PAINT[target]
        whole = _enlarged(in_range(_hsv(rgb), chosen.low, chosen.high), size)
        outlines, _ = cv2.findContours(whole, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(left, outlines, -1, PAINT[target], 1)
    return np.asarray(np.hstack([left, right]), np.uint8), counts


def _hsv(rgb: Image) -> Image:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2HSV), np.uint8)


def _enlarged(mask: NDArray[np.bool_], size: tuple[int, int]) -> Image:
    large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.uint8)


def _patch(hsv: NDArray[np.generic], pick: Pick, radius: int) -> NDArray[np.uint8]:
    height, width = hsv.shape[:2]
    u, v = round(pick[0]), round(pick[1])
    if not (0 <= u < width and 0 <= v < height):
        raise UserError(f"pick {_text(pick)} lies outside the frame, {width} x {height}")
    rows = slice(max(0, v - radius), v + radius + 1)
    columns = slice(max(0, u - radius), u + radius + 1)
    return np.asarray(hsv[rows, columns].reshape(-1, 3), np.uint8)


def _text(pick: Pick) -> str:
    return f"({pick[0]:g}, {pick[1]:g})"


def _hue_difference(hue: ArrayLike) -> NDArray[np.float64]:
    """A difference of hues, the short way round the circle: from -90 to 90."""
    return np.asarray((np.asarray(hue, float) + HUES / 2) % HUES - HUES / 2)


def _middle_hue(hues: NDArray[np.generic]) -> float:
    """The median of hues on the circle, counted from the mean direction."""
    angles = np.exp(2j * np.pi * np.asarray(hues, float) / HUES)
    mean = np.angle(angles.mean()) * HUES / (2 * np.pi)
    return float((mean + np.median(_hue_difference(np.asarray(hues, float) - mean))) % HUES)


def _hues(chosen: Range) -> NDArray[np.bool_]:
    """Which hues a range contains, bool (HUES,)."""
    hues = np.arange(HUES)
    low, high = chosen.low[0], chosen.high[0]
    return (hues >= low) & (hues <= high) if low <= high else (hues >= low) | (hues <= high)
