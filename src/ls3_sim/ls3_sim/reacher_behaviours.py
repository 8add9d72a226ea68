"""The behaviours that collect offline data of the reacher (paper, section 7.3.2).

demonstration: a proportional controller stretches the arm to the left, below the obstacle, for 40
steps, then turns the stretched arm over the obstacle until the finger is on the target. Where start
or obstacle vary, the wrist stays bent until the shoulder has turned away from the obstacle.
constraint: the same controller, to the nearer of two postures whose finger is in the obstacle.
random: a random walk in the space of actions, a_{t+1} ~ N(a_t, sigma^2 I).

Controller, postures and noise are those of the authors' code; the paper names the controller (PID)
and the walk with its sigma^2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour, find_maker

LIMIT = 1.0
"""Largest action per joint; 1 is 0.025 N m."""
STRETCHED, DETOUR = (np.pi, 0.0), 40
"""Posture (shoulder, wrist), rad, of a demonstration's first part, and its number of steps."""
ON_TARGET = (0.75 * np.pi, 0.0)
"""Posture of a demonstration's second part, rad."""
IN_OBSTACLE = ((0.53 * np.pi, 0.7 * np.pi), (np.pi, -0.7 * np.pi))
"""Two postures whose finger is in the obstacle, rad."""
NOISE = 0.4
"""Standard deviation of the noise on an action, per joint."""
SIGMA_2 = 0.2
"""Variance sigma^2 of a step of the random walk."""
RANDOM_LENGTH = 20
"""Steps of a random trajectory."""


def _clipped(action: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.clip(action, -LIMIT, LIMIT).astype(np.float32)


def _towards(
    posture: tuple[float, float], info: Mapping[str, Any], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Proportional control of the joint angles with gain 1, plus noise."""
    return _clipped(_clipped(posture - info["angles"]) + rng.normal(0, NOISE, 2))


def _demonstration(rng: np.random.Generator, bent_until: float) -> Behaviour:
    step, bent = 0, True

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal step, bent
        step += 1
        shoulder, wrist = info["angles"]
        bent = bent and shoulder < bent_until
        if bent:
            return _towards((STRETCHED[0], wrist), info, rng)
        return _towards(STRETCHED if step <= DETOUR else ON_TARGET, info, rng)

    return act


def _constraint(rng: np.random.Generator, _bent_until: float) -> Behaviour:
    posture: tuple[float, float] | None = None

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal posture
        if posture is None:  # the nearer one at the start of the episode
            posture = min(IN_OBSTACLE, key=lambda p: float(np.linalg.norm(p - info["angles"])))
        return _towards(posture, info, rng)

    return act


def _random(rng: np.random.Generator, _bent_until: float) -> Behaviour:
    action = rng.uniform(-LIMIT, LIMIT, 2).astype(np.float32)

    def act(_info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal action
        present = action
        action = _clipped(rng.normal(action, np.sqrt(SIGMA_2)))
        return present

    return act


_MAKERS: dict[str, Callable[[np.random.Generator, float], Behaviour]] = {
    "demonstration": _demonstration,
    "random": _random,
    "constraint": _constraint,
}


def make_behaviour(kind: str, rng: np.random.Generator, bent_until: float = -np.inf) -> Behaviour:
    """Make a behaviour for one episode.

    Args:
        kind: one of `BEHAVIOURS`.
        rng: source of all random draws.
        bent_until: angle of the shoulder, rad, until which a demonstration keeps the wrist bent.

    Returns:
        The behaviour, which reads `angles` (2,), rad, from the step's info and returns one action
        per joint, float32 (2,) in [-1, 1].

    Raises:
        ValueError: the kind is unknown.
    """
    return find_maker(_MAKERS, kind)(rng, bent_until)
