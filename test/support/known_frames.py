"""A small world of masks whose frames a guard knows, and frames that are foreign to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ls3_models import frame_guard, frame_guard_fit
from ls3_models.bundle import Bundle, load_bundle, save_bundle
from ls3_models.episodes import Episode

ALPHA = 0.2
STEPS = 10
SIDE = 64


def block(row: float, column: float, side: float = 12.0) -> np.ndarray:
    """A mask, uint8 (64, 64, 1), that shows one block; pixels at its edge are grey."""
    pixels = np.arange(SIDE)
    covered = [
        np.clip(np.minimum(pixels + 1, low + side) - np.maximum(pixels, low), 0, 1)
        for low in (row, column)
    ]
    return np.round(255 * np.outer(*covered)).astype(np.uint8)[..., None]


def demonstration(seed: int, *, equal_starts: bool = False) -> Episode:
    """A block of its own size goes from the upper left to the lower right.

    equal_starts: whether all episodes begin with the same two frames.
    """
    rng = np.random.default_rng(seed)
    place, side, images = np.array([6.0, 8.0]) + rng.uniform(-1, 1, 2), rng.uniform(11, 13), []
    for step in range(STEPS + 1):
        same = equal_starts and step < frame_guard.START_FRAMES
        images.append(block(6, 8) if same else block(*place, side))
        place = np.minimum(place + rng.uniform(2, 6, 2), SIDE - side)
    return Episode(
        observations=np.stack(images),
        actions=np.zeros((STEPS, 2), np.float32),
        rewards=np.full(STEPS, -1, np.float32),
        constraint=np.zeros(STEPS, bool),
        success=np.arange(STEPS) == STEPS - 1,
        source="demonstration",
        seed=seed,
    )


def demonstrations(first: int, count: int, **changes: Any) -> list[Episode]:
    return [demonstration(seed, **changes) for seed in range(first, first + count)]


def guard_of(bundle: Bundle, *, fresh: int = 60, **changes: Any) -> frame_guard.FrameGuard:
    training, new = (demonstrations(0, 40, **changes), demonstrations(1000, fresh, **changes))
    return frame_guard_fit.fit(bundle, training, new, alpha=ALPHA, seed=0)


def guarded(bundle: Bundle) -> Bundle:
    return replace(bundle, guard=guard_of(bundle))


def save_guarded(bundle: Bundle, path: Path) -> Bundle:
    """Write a bundle with its guard; the guard is of the weights as they are stored."""
    save_bundle(guarded(save_bundle(replace(bundle, guard=None), path)), path)
    return load_bundle(path)


def foreign() -> dict[str, np.ndarray]:
    """Frames, (64, 64, 1), that no demonstration has, by what is wrong with them."""
    seen = demonstration(5000).observations[2]
    hidden = seen.copy()
    hidden[: SIDE // 2] = 0
    return {
        "inverted": 255 - seen,
        "hidden": hidden,
        "two objects": np.maximum(seen, seen[::-1]),
        "mirrored": np.ascontiguousarray(seen[:, ::-1]),
    }
