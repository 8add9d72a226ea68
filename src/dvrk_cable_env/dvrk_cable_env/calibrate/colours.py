"""Colour ranges from pixels that a person pointed at, and a picture that shows what they select."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvrk_cable_env.camera.segmentation import Image, SegmentationConfig, in_range, scene_view
from ls3_common.errors import UserError

TARGETS = ("cable", "obstacle", "goal")
PAINT = {"cable": (255, 255, 0), "obstacle": (0, 255, 255), "goal": (255, 0, 255)}
HUES = 180
MIN_SATURATION = 40
"""Below, a colour is grey and its hue is the camera's noise."""
MIN_VALUE = 20
"""Below, all is the camera's noise."""
HUE_SPREAD = 20
"""Hue by which one pick may differ from all of them."""
Pick = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Range:
    """Bounds (hue, saturation, value), both included; a lower hue above the upper one wraps."""

    low: tuple[int, ...]
    high: tuple[int, ...]


def propose(
    rgb: Image, picks: Sequence[Pick], radius: int = 1, hue: int = 8, saturation: int = 60
) -> Range:
    """The range of what lies under some picks.

    Of the pixels within `radius` of the picks the middle 90 % count, hues on their circle, so that
    a pick that is half beside a thin cable does no harm. The margins `hue` and `saturation` and
    half of the value are for other light and for shade; nothing is too bright or too colourful.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        picks: (u, v) in pixels.
        radius: of the neighbourhood that is looked at, pixels.

    Raises:
        UserError: no pick, one outside the frame, one on grey, or one unlike the others; it names
            the pick.
    """
    if not picks:
        raise UserError("no pixel was picked", do="pick a few on the object, in light and in shade")
    hsv = _hsv(rgb)
    patches = [_patch(hsv, pick, radius) for pick in picks]
    for pick, patch in zip(picks, patches, strict=True):
        if np.median(patch[:, 1]) < MIN_SATURATION:
            raise UserError(
                f"pick {_text(pick)} is grey: it has no hue to tell it by",
                do="pick coloured pixels, or mark the object with coloured tape",
            )
    centres = [_middle_hue(patch[patch[:, 1] >= MIN_SATURATION, 0]) for patch in patches]
    middle = _middle_hue(np.array(centres))
    for pick, centre in zip(picks, centres, strict=True):
        if abs(_turn(centre - middle)) > HUE_SPREAD:
            raise UserError(
                f"pick {_text(pick)} has hue {centre:.0f}, the picks together {middle:.0f}",
                do="leave it out, or pick more on the object",
            )
    pixels = np.concatenate(patches)
    pixels = pixels[pixels[:, 1] >= MIN_SATURATION].astype(float)
    turns = _turn(pixels[:, 0] - middle)
    first, last = np.percentile(turns, (5, 95))
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
    """The ranges that a configuration has, by target."""
    return {
        target: Range(getattr(config, f"{target}_low"), getattr(config, f"{target}_high"))
        for target in TARGETS
    }


def parameters_of(target: str, chosen: Range) -> dict[str, tuple[int, ...]]:
    """A range as parameters of segmentation_node."""
    return {f"{target}_low": chosen.low, f"{target}_high": chosen.high}


def clashes(config: SegmentationConfig) -> list[str]:
    """Pairs of targets whose ranges share a colour; a pixel would be both."""
    found = []
    ranges = ranges_of(config)
    for index, one in enumerate(TARGETS):
        for other in TARGETS[index + 1 :]:
            first, second = ranges[one], ranges[other]
            level = all(
                max(first.low[i], second.low[i]) <= min(first.high[i], second.high[i])
                for i in (1, 2)
            )
            if level and (_hues(first) & _hues(second)).any():
                found.append(f"{one} and {other}")
    return found


def preview(
    rgb: Image, config: SegmentationConfig, height: int = 480
) -> tuple[Image, dict[str, int]]:
    """The frame with what the ranges select outlined, and the masks of the scene beside it.

    Returns:
        uint8 (height, width, 3), and how many pixels of the scene each target has.

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


def _turn(hue: ArrayLike) -> NDArray[np.float64]:
    """A difference of hues, the short way round: from -90 up to 90."""
    return np.asarray((np.asarray(hue, float) + HUES / 2) % HUES - HUES / 2)


def _middle_hue(hues: NDArray[np.generic]) -> float:
    """The median, seen from the direction of the mean on the circle."""
    angles = np.exp(2j * np.pi * np.asarray(hues, float) / HUES)
    mean = np.angle(angles.mean()) * HUES / (2 * np.pi)
    return float((mean + np.median(_turn(np.asarray(hues, float) - mean))) % HUES)


def _hues(chosen: Range) -> NDArray[np.bool_]:
    hues = np.arange(HUES)
    low, high = chosen.low[0], chosen.high[0]
    return (hues >= low) & (hues <= high) if low <= high else (hues >= low) | (hues <= high)
