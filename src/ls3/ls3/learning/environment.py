"""Runs episodes in a Gymnasium environment, with an agent or with a data-collecting behaviour.

Observations are images; nothing here reads a simulator's state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from ls3_models.agent import ObservedStep, episode_of
from ls3_models.episodes import VARIATIONS, Episode

Act = Callable[[np.ndarray, Mapping[str, Any]], np.ndarray | None]
"""Chooses an action, float32 (A,), from an observation, uint8 (h, w, c), and the step's info.
None holds still."""


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
    on_step: Callable[[ObservedStep], None] | None = None,
) -> Episode:
    """Run one episode; its attributes name what varied in it, if the environment tells.

    Args:
        env: ends the episode after T steps at the latest.
        act: chooses the actions.
        source: kind of the episode, for its file.
        seed: passed to the environment's reset.
        stop_on_success, stop_on_violation: whether to end at the goal, or at a violation.
        steps: largest number of steps if less than T.
        options: passed to the environment's reset.
        on_step: called after every step, before the next action is chosen.
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
        if on_step is not None:
            on_step(step)
        observation = following
    varied = getattr(env.unwrapped, "varied", None)
    attributes = {} if varied is None else {VARIATIONS: varied}
    return replace(episode_of(taken, source=source, seed=seed), attributes=attributes)


def behaviour(env: gymnasium.Env, kind: str, seed: int) -> Act:
    """Return one of the environment's data-collecting behaviours, at its beginning.

    kind: `demonstration`, `random` or `constraint`. seed: decides the behaviour's random numbers.
    """
    act = env.unwrapped.behaviour(kind, np.random.default_rng(seed))  # type: ignore[attr-defined]
    return lambda _observation, info: act(info)


def reset_options(env: gymnasium.Env, kind: str) -> dict[str, Any]:
    """Return the reset options for a behaviour's episodes.

    Behaviours in the environment's `random_starts` begin at a random state, all others at the
    start. The attribute may be missing.
    """
    anywhere: tuple[str, ...] = getattr(env.unwrapped, "random_starts", ())
    return {"random_start": True} if kind in anywhere else {}


def behaviour_length(env: gymnasium.Env, kind: str) -> int | None:
    """Return the number of steps of a behaviour's episodes; None for T steps.

    Only behaviours in the environment's `behaviour_lengths` are shorter than T. The attribute may
    be missing.
    """
    lengths: Mapping[str, int] = getattr(env.unwrapped, "behaviour_lengths", {})
    return lengths.get(kind)
