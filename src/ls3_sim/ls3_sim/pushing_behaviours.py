"""The behaviours that collect offline data of sequential pushing (paper, section 7.3.3).

demonstration: from left to right, behind the centre of each block, then slowly straight ahead until
the block is in the goal; then back and to the next block. Where it is asked for, some
demonstrations leave one block at the goal's edge, and come back for it in the end.
constraint: alternately towards a block, which pushes the block on, and uniform actions. Towards a
block means straight at its centre or, as in the authors' code, always forward and in line with the
block. The second causes most falls over the front edge, the first those over the sides.
random: uniform actions. The paper's random data are those of `constraint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, find_maker
from ls3_sim.pushing_scene import BLOCKS, PushingLayout

PUSHING, TRAVELLING = 0.006, 0.015
"""Length of a demonstration's steps while pushing and otherwise, m."""
BEHIND = 0.09
"""Distance from a block's centre at which a push begins, m."""
ALIGNED = 0.01
"""Sideways distance at which the effector counts as behind a block, m."""
INSIDE = 0.02
"""Distance from the goal's edge to a block that is pushed far enough, m."""
MISSED = (-0.02, 0.01)
"""Least and largest distance inside the goal's edge at which a missed block is left, m."""
NOISE = 0.004
"""Standard deviation of the noise on a demonstration's actions, m per axis (authors' code)."""

TOWARDS_BLOCK = 0.02
"""Length of a step towards a block, m (authors' code)."""
BEGIN_RANDOM, END_RANDOM = 0.2, 0.1
"""Probability per step that uniform actions begin, and that they end (authors' code)."""
FORWARD = 0.5
"""Probability that an approach goes forward instead of to the block's centre."""


def _towards(gap: NDArray[np.float64], speed: float) -> NDArray[np.float64]:
    distance = float(np.linalg.norm(gap))
    return gap * min(1.0, speed / distance) if distance > 0 else gap


def _demonstration(
    layout: PushingLayout, limit: float, rng: np.random.Generator, missed_block: float
) -> Behaviour:
    lane = -np.inf
    left = [(block, INSIDE) for block in range(BLOCKS)]
    if missed_block and rng.random() < missed_block:
        block = int(rng.integers(BLOCKS - 1))  # the last one would only be pushed on
        left[block] = (block, rng.uniform(*MISSED))
        left.append((block, INSIDE))

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal lane
        xy = info["position"]
        if not np.isfinite(lane):  # behind the blocks, wherever this episode has put them
            lane = info["blocks"][:, 1].max() + BEHIND
        while left and info["blocks"][left[0][0], 1] < layout.goal_high[1] - left[0][1]:
            left.pop(0)
        x, y = info["blocks"][left[0][0], :2] if left else xy
        if left and abs(x - xy[0]) < ALIGNED:
            ahead = TRAVELLING if xy[1] - y > BEHIND + ALIGNED else PUSHING
            wanted = np.array([x - xy[0], -ahead])
        elif xy[1] < lane - ALIGNED:  # back first, because other blocks are at the sides
            wanted = _towards(np.array([0.0, lane - xy[1]]), TRAVELLING)
        else:
            wanted = _towards(np.array([x, lane]) - xy, TRAVELLING)
        noisy = wanted + rng.normal(0, NOISE, 2)
        return np.clip(noisy, -limit, limit).astype(np.float32)

    return act


def _constraint(
    _layout: PushingLayout, limit: float, rng: np.random.Generator, _missed_block: float
) -> Behaviour:
    def draw() -> tuple[int, bool]:
        return int(rng.integers(BLOCKS)), bool(rng.random() < FORWARD)

    random, (block, forward) = False, draw()

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal random, block, forward
        if rng.random() < (END_RANDOM if random else BEGIN_RANDOM):
            random, (block, forward) = not random, draw()
        if random:
            return rng.uniform(-limit, limit, 2).astype(np.float32)
        gap = info["blocks"][block, :2] - info["position"]
        if forward:
            sideways = np.clip(gap[0], -TOWARDS_BLOCK, TOWARDS_BLOCK)
            return np.array([sideways, -TOWARDS_BLOCK], np.float32)
        return _towards(gap, TOWARDS_BLOCK).astype(np.float32)

    return act


def _random(
    _layout: PushingLayout, limit: float, rng: np.random.Generator, _missed_block: float
) -> Behaviour:
    return lambda _info: rng.uniform(-limit, limit, 2).astype(np.float32)


_MAKERS = {"demonstration": _demonstration, "random": _random, "constraint": _constraint}


def make_behaviour(
    kind: str,
    layout: PushingLayout,
    limit: float,
    rng: np.random.Generator,
    missed_block: float = 0.0,
) -> Behaviour:
    """Make a behaviour for one episode.

    Args:
        kind: one of `BEHAVIOURS`.
        layout: positions of blocks and goal.
        limit: largest displacement per axis and step, m.
        rng: source of all random draws.
        missed_block: probability that a demonstration first leaves one block at the goal's edge.

    Returns:
        The behaviour, which reads `position` (2,) and `blocks` (3, 3), m, from the step's info and
        returns (dx, dy), m.

    Raises:
        ValueError: the kind is unknown.
    """
    return find_maker(_MAKERS, kind)(layout, limit, rng, missed_block)
