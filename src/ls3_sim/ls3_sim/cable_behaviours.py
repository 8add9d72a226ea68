"""Policies that collect the cable domain's offline data (section 7.3.4).

demonstration: well over the obstacle, to the right, then straight to the goal.
random: a demonstration for a random number of steps, then uniform actions.
constraint: a demonstration for a random number of steps, then towards the obstacle, or over it so
low that the trailing cable touches. The random trajectories alone hardly touch it; the estimator
has to know the obstacle from left, above and right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, chosen
from ls3_sim.cable_scene import CableLayout

SPEED = 0.011  # metres per step of the demonstrator
NOISE = 0.0015  # metres, standard deviation per axis of its actions
CLEARANCE = 0.112  # metres above the obstacle's centre
REACHED = 0.008  # metres


class _Waypoints:
    """Goes from point to point; stays at the last one."""

    def __init__(
        self,
        points: list[NDArray[np.float64]],
        speed: float,
        limit: float,
        rng: np.random.Generator,
    ) -> None:
        self.points, self.speed, self.limit, self.rng = points, speed, limit, rng

    def __call__(self, info: Mapping[str, Any]) -> NDArray[np.float32]:
        while len(self.points) > 1 and np.linalg.norm(self.points[0] - info["tool_xy"]) < REACHED:
            self.points.pop(0)
        gap = self.points[0] - info["tool_xy"]
        distance = float(np.linalg.norm(gap))
        action = gap * min(1.0, self.speed / distance) if distance > 0 else gap
        action = action + self.rng.normal(0, NOISE, 2)
        return np.clip(action, -self.limit, self.limit).astype(np.float32)


def _demonstration(layout: CableLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    start, obstacle, goal = (np.array(p) for p in (layout.start, layout.obstacle, layout.goal))
    height = obstacle[1] + CLEARANCE + rng.uniform(-0.008, 0.008)
    across = obstacle[0] + 0.06 + rng.uniform(-0.01, 0.01)
    points = [np.array([start[0], height]), np.array([across, height]), goal]
    return _Waypoints(points, SPEED, limit, rng)


def _random(layout: CableLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    first = _demonstration(layout, limit, rng)
    left = int(rng.integers(0, 40))

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal left
        left -= 1
        if left >= 0:
            return first(info)
        return rng.uniform(-limit, limit, 2).astype(np.float32)

    return act


def _constraint(layout: CableLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    first = _demonstration(layout, limit, rng)
    obstacle, goal = np.array(layout.obstacle), np.array(layout.goal)
    speed = rng.uniform(0.6, 1.2) * limit
    if rng.random() < 0.6:  # towards the obstacle, from wherever the demonstration is by then
        left = int(rng.integers(0, 36))
        points = [obstacle + rng.uniform(-0.7, 0.7, 2) * layout.obstacle_radius]
    else:  # over it, but low
        left = int(rng.integers(0, 8))
        low = layout.obstacle_radius * rng.uniform(1.1, 2.6)
        points = [obstacle + np.array([rng.uniform(-0.02, 0.02), low]), goal]
    then = _Waypoints(points, speed, limit, rng)

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal left
        left -= 1
        return first(info) if left >= 0 else then(info)

    return act


_MAKERS = {"demonstration": _demonstration, "random": _random, "constraint": _constraint}


def make_behaviour(
    kind: str, layout: CableLayout, limit: float, rng: np.random.Generator
) -> Behaviour:
    """A fresh behaviour of one of `BEHAVIOURS`; `limit`: metres per axis and step."""
    return chosen(_MAKERS, kind)(layout, limit, rng)
