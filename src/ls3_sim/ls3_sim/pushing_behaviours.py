"""Policies that collect the pushing domain's offline data (section 7.3.3).

demonstration: to the centre of each block from behind, from left to right, then slowly straight
ahead until the block is in the goal; then back and to the next one.
constraint: by turns towards a block, which pushes it on, and uniform actions. Towards a block is
either straight at its centre or, as in the released code, always forward, in line with the block;
the second makes most of the falls over the front edge, the first those over the sides.
random: uniform actions. The paper's random data are those of `constraint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, chosen
from ls3_sim.pushing_scene import BLOCKS, PushingLayout

PUSHING, TRAVELLING = 0.006, 0.015  # metres per step of a demonstration
BEHIND = 0.09  # metres from a block's centre to where a push begins
ALIGNED = 0.01  # metres sideways
INSIDE = 0.02  # metres from the goal's edge to a block that is left there
NOISE = 0.004  # metres, standard deviation per axis of a demonstration's actions: released code

TOWARDS_BLOCK = 0.02  # metres per step, the released code's
OUTBURST, CALM = 0.2, 0.1  # probabilities per step to begin and to end uniform actions: likewise
FORWARD = 0.5  # share of the spells towards a block that go forward


def _towards(gap: NDArray[np.float64], speed: float) -> NDArray[np.float64]:
    distance = float(np.linalg.norm(gap))
    return gap * min(1.0, speed / distance) if distance > 0 else gap


def _demonstration(layout: PushingLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    lane = layout.blocks_y + BEHIND
    left = list(range(BLOCKS))

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        xy = info["position"]
        while left and info["blocks"][left[0], 1] < layout.goal_high[1] - INSIDE:
            left.pop(0)
        x = info["blocks"][left[0], 0] if left else xy[0]
        if left and abs(x - xy[0]) < ALIGNED:
            wanted = np.array([x - xy[0], -PUSHING])
        elif xy[1] < lane - ALIGNED:  # back first: sideways are other blocks
            wanted = _towards(np.array([0.0, lane - xy[1]]), TRAVELLING)
        else:
            wanted = _towards(np.array([x, lane]) - xy, TRAVELLING)
        noisy = wanted + rng.normal(0, NOISE, 2)
        return np.clip(noisy, -limit, limit).astype(np.float32)

    return act


def _constraint(_layout: PushingLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    def drawn() -> tuple[int, bool]:
        return int(rng.integers(BLOCKS)), bool(rng.random() < FORWARD)

    astray, (block, forward) = False, drawn()

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal astray, block, forward
        if rng.random() < (CALM if astray else OUTBURST):
            astray, (block, forward) = not astray, drawn()
        if astray:
            return rng.uniform(-limit, limit, 2).astype(np.float32)
        gap = info["blocks"][block, :2] - info["position"]
        if forward:
            sideways = np.clip(gap[0], -TOWARDS_BLOCK, TOWARDS_BLOCK)
            return np.array([sideways, -TOWARDS_BLOCK], np.float32)
        return _towards(gap, TOWARDS_BLOCK).astype(np.float32)

    return act


def _random(_layout: PushingLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    return lambda _info: rng.uniform(-limit, limit, 2).astype(np.float32)


_MAKERS = {"demonstration": _demonstration, "random": _random, "constraint": _constraint}


def make_behaviour(
    kind: str, layout: PushingLayout, limit: float, rng: np.random.Generator
) -> Behaviour:
    """A fresh behaviour of one of `BEHAVIOURS`; `limit`: metres per axis and step.

    Raises:
        ValueError: an unknown kind.
    """
    return chosen(_MAKERS, kind)(layout, limit, rng)
