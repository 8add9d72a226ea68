"""The behaviours that collect offline data of cable routing (paper, section 7.3.4).

demonstration: high over the obstacle, to the right, then straight to the goal.
random: a demonstration for a random number of steps, then uniform actions.
constraint: a demonstration for a random number of steps, then towards the obstacle, or so low over
the obstacle that the trailing cable touches it. Random trajectories rarely touch the obstacle, and
the constraint estimator must know it from the left, from above and from the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, find_maker
from ls3_sim.cable_scene import CableLayout

SPEED = 0.011
"""Length of a demonstration's steps, m."""
NOISE = 0.0015
"""Standard deviation of the noise on a demonstration's actions, m per axis."""
CLEARANCE = 0.112
"""Height of a demonstration's path above the obstacle's centre, m."""
REACHED = 0.008
"""Distance at which a waypoint counts as reached, m."""


class _Waypoints:
    """Moves from waypoint to waypoint and stays at the last one. Lengths in m, `speed` per step."""

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
    demonstrate = _demonstration(layout, limit, rng)
    steps_left = int(rng.integers(0, 40))

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal steps_left
        steps_left -= 1
        if steps_left >= 0:
            return demonstrate(info)
        return rng.uniform(-limit, limit, 2).astype(np.float32)

    return act


def _constraint(layout: CableLayout, limit: float, rng: np.random.Generator) -> Behaviour:
    demonstrate = _demonstration(layout, limit, rng)
    obstacle, goal = np.array(layout.obstacle), np.array(layout.goal)
    speed = rng.uniform(0.6, 1.2) * limit
    if rng.random() < 0.6:  # towards the obstacle, from wherever the demonstration has come
        steps_left = int(rng.integers(0, 36))
        points = [obstacle + rng.uniform(-0.7, 0.7, 2) * layout.obstacle_radius]
    else:  # over the obstacle, but low
        steps_left = int(rng.integers(0, 8))
        low = layout.obstacle_radius * rng.uniform(1.1, 2.6)
        points = [obstacle + np.array([rng.uniform(-0.02, 0.02), low]), goal]
    violate = _Waypoints(points, speed, limit, rng)

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal steps_left
        steps_left -= 1
        return demonstrate(info) if steps_left >= 0 else violate(info)

    return act


_MAKERS = {"demonstration": _demonstration, "random": _random, "constraint": _constraint}


def make_behaviour(
    kind: str, layout: CableLayout, limit: float, rng: np.random.Generator
) -> Behaviour:
    """Make a behaviour for one episode.

    Args:
        kind: one of `BEHAVIOURS`.
        layout: positions of start, obstacle and goal.
        limit: largest displacement per axis and step, m.
        rng: source of all random draws.

    Returns:
        The behaviour, which reads `tool_xy` (2,), m, from the step's info and returns (dx, dy), m.

    Raises:
        ValueError: the kind is unknown.
    """
    return find_maker(_MAKERS, kind)(layout, limit, rng)
