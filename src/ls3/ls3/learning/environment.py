"""What the learner asks of an environment: gymnasium, plus behaviours that collect data.

Images are observations, a simulator's state is never looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from ls3_models.agent import ObservedStep, episode_of
from ls3_models.episodes import Episode

Act = Callable[[np.ndarray, Mapping[str, Any]], np.ndarray | None]
"""Chooses an action from an observation and the step's info; None holds still."""


def run_episode(
    env: gymnasium.Env,
    act: Act,
    *,
    source: str,
    seed: int,
    stop_on_success: bool = False,
    stop_on_violation: bool = False,
    steps: int | None = None,
    options: dict[str, Any] | None = None,
    observed: Callable[[ObservedStep], None] | None = None,
) -> Episode:
    """One episode of at most T steps, or of at most `steps` where that is less.

    `observed` is called after every step, before the next action is chosen.
    """
    observation, info = env.reset(seed=seed, options=options)
    assert env.action_space.shape is not None
    still = np.zeros(env.action_space.shape, np.float32)
    taken: list[ObservedStep] = []
    while not (taken and taken[-1].ended):
        action = act(observation, info)
        action = still if action is None else np.asarray(action, np.float32)
        following, reward, terminated, truncated, info = env.step(action)
        constraint, success = bool(info["constraint"]), bool(info["success"])
        ended = bool(
            terminated
            or truncated
            or (stop_on_success and success)
            or (stop_on_violation and constraint)
            or len(taken) + 1 == steps
        )
        step = ObservedStep(
            len(taken), observation, action, float(reward), constraint, success, following, ended
        )
        taken.append(step)
        if observed is not None:
            observed(step)
        observation = following
    return episode_of(taken, source=source, seed=seed)


def behaviour(env: gymnasium.Env, kind: str, seed: int) -> Act:
    """A fresh data-collecting policy of the environment."""
    act = env.unwrapped.behaviour(kind, np.random.default_rng(seed))  # type: ignore[attr-defined]
    return lambda _observation, info: act(info)


def reset_options(env: gymnasium.Env, kind: str) -> dict[str, Any]:
    """How a behaviour's episodes begin: at the start, or anywhere (`random_starts` of the domain).

    An environment that does not name such behaviours has none.
    """
    anywhere: tuple[str, ...] = getattr(env.unwrapped, "random_starts", ())
    return {"random_start": True} if kind in anywhere else {}


def length(env: gymnasium.Env, kind: str) -> int | None:
    """Steps of a behaviour's episodes: less than T where the domain says so, else None.

    An environment without `behaviour_lengths` has no such behaviours.
    """
    lengths: Mapping[str, int] = getattr(env.unwrapped, "behaviour_lengths", {})
    return lengths.get(kind)


def seed_of(base: int, source: str, index: int) -> int:
    """A seed of its own for every episode of a data set or run, stable across machines."""
    return zlib.crc32(f"{base}/{source}/{index}".encode())
