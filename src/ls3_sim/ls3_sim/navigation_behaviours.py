"""The behaviours that collect offline data of navigation (paper, section 7.3.1).

demonstration: north for 20 steps, east for 40 steps, then straight to the goal, where it stays.
constraint: in a random direction for 15 steps, then straight at the obstacle.
random: uniform actions. The paper collects none; they are here for users who want D_rand.

Demonstration and constraint add the noise of the authors' code, which the paper does not mention.
With this noise a demonstration's return is about -83, without it -79.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, find_maker
from ls3_sim.navigation_scene import NavigationLayout

NORTH, EAST = 20, 40
"""Steps of a demonstration to the north and to the east."""
RANDOM_DIRECTION = 15
"""Steps in a random direction before the obstacle is attacked."""
TOWARDS_OBSTACLE = 0.5
"""Length of a step towards the obstacle, as a share of the largest step."""
NOISE = 0.4
"""Standard deviation of the noise per axis, as a share of the largest step."""


def _noisy(action: NDArray[np.float64], limit: float, rng: np.random.Generator) -> NDArray:
    noise = rng.normal(0, NOISE * limit, 2)
    return np.clip(action + noise, -limit, limit).astype(np.float32)


def _demonstration(layout: NavigationLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    start, goal = np.array(layout.start), np.array(layout.goal)
    north = start - np.array([0.0, NORTH * limit])
    east = north + np.array([EAST * limit, 0.0])
    step = 0

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal step
        target = north if step < NORTH else east if step < NORTH + EAST else goal
        step += 1
        return _noisy(np.clip(target - info["position"], -limit, limit), limit, rng)

    return act


def _constraint(layout: NavigationLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    direction = rng.uniform(-limit, limit, 2)
    centre = (np.array(layout.obstacle_low) + layout.obstacle_high) / 2
    step = 0

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal step
        step += 1
        if step <= RANDOM_DIRECTION:
            return _noisy(direction, limit, rng)
        gap = centre - info["position"]
        distance = max(float(np.linalg.norm(gap)), 1e-9)
        return _noisy(gap / distance * TOWARDS_OBSTACLE * limit, limit, rng)

    return act


def _random(_layout: NavigationLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    return lambda _info: rng.uniform(-limit, limit, 2).astype(np.float32)


_MAKERS = {"demonstration": _demonstration, "random": _random, "constraint": _constraint}


def make_behaviour(
    kind: str, layout: NavigationLayout, limit: float, rng: np.random.Generator
) -> Behaviour:
    """Make a behaviour for one episode.

    Args:
        kind: one of `BEHAVIOURS`.
        layout: positions of start, obstacle and goal.
        limit: largest displacement per axis and step, in the window's units.
        rng: source of all random draws.

    Returns:
        The behaviour, which reads `position` (2,) from the step's info and returns (dx, dy).

    Raises:
        ValueError: the kind is unknown.
    """
    return find_maker(_MAKERS, kind)(layout, limit, rng)
