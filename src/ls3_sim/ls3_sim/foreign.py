"""Pictures that a camera would give after a mistake or an accident, made of good ones. No ROS.

Each is a function of one observation, uint8 (h, w, c), which may be a mask, a picture or a stack of
pictures. The guard on frames must notice them (`tools/frame_guard.py`), and so must the graph
(`make faults`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

Picture = Callable[[np.ndarray], np.ndarray]
BLACK, COLOURS = 0, 3


def moved(image: np.ndarray, share: float = 0.25) -> np.ndarray:
    """What a camera sees that was pushed aside by a share of the picture's width."""
    columns = round(share * image.shape[1])
    shown = (
        np.full_like(image, BLACK)
        if image.shape[2] == 1
        else np.repeat(image[:, :1], image.shape[1], axis=1)
    )
    shown[:, columns:] = image[:, : image.shape[1] - columns]
    return shown


def cropped(image: np.ndarray, share: float = 0.7) -> np.ndarray:
    """A share of the picture, from its upper left corner, drawn as large as all of it."""
    rows, columns = (
        np.minimum((np.arange(side) * share).astype(int), side - 1) for side in image.shape[:2]
    )
    return image[rows[:, None], columns]


def half_black(image: np.ndarray, *, below: bool) -> np.ndarray:
    """The picture with its lower or its left half black."""
    shown = image.copy()
    if below:
        shown[image.shape[0] // 2 :] = BLACK
    else:
        shown[:, : image.shape[1] // 2] = BLACK
    return shown


def swapped_colours(image: np.ndarray) -> np.ndarray:
    """Red for blue, as of a driver that says rgb and sends bgr."""
    height, width, channels = image.shape
    return image.reshape(height, width, -1, COLOURS)[..., ::-1].reshape(height, width, channels)


def mirrored(image: np.ndarray) -> np.ndarray:
    """The scene with left for right."""
    return np.ascontiguousarray(image[:, ::-1])


def doubled(image: np.ndarray) -> np.ndarray:
    """The left half, and the same half mirrored beside it: two cables, two tools, or none."""
    half = image[:, : image.shape[1] // 2]
    return np.concatenate((half, half[:, ::-1]), axis=1)


def two(mask: np.ndarray) -> np.ndarray:
    """A mask with a second cable, which lies as the mirror image of the first."""
    return np.maximum(mask, mask[:, ::-1])


def empty(image: np.ndarray) -> np.ndarray:
    """Nothing: no cable, or a lens cap."""
    return np.full_like(image, BLACK)


def pictures(channels: int) -> dict[str, Picture]:
    """Return all of them by name, for observations of so many channels."""
    of_all: dict[str, Picture] = {
        "camera moved by a quarter": moved,
        "wrong crop": cropped,
        "lower half black": partial(half_black, below=True),
        "left half black": partial(half_black, below=False),
        "mirrored": mirrored,
    }
    if channels % COLOURS:
        return of_all | {"no cable": empty, "two cables": two}
    return of_all | {"swapped colours": swapped_colours, "lens cap": empty, "doubled": doubled}
