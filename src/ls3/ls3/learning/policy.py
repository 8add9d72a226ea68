"""Runs episodes with a fixed policy, and computes the paper's figures from them (section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import gymnasium
import numpy as np

from ls3.learning.environment import Act, behaviour, run_episode
from ls3_common.progress import bar
from ls3_models.agent import Policy
from ls3_models.episodes import Episode


def rollout(env: gymnasium.Env, act: Act, seed: int, source: str = "online") -> Episode:
    """Run one episode that ends at the goal, at a violation or at T."""
    return run_episode(
        env, act, source=source, seed=seed, stop_on_success=True, stop_on_violation=True
    )


def play(env: gymnasium.Env, policy: Policy, seed: int) -> Episode:
    """Run one episode of a policy, whose record of it is added to the episode's attributes."""
    policy.begin(seed)
    episode = rollout(env, policy.act, seed)
    return replace(episode, attributes={**episode.attributes, **policy.record()})


def evaluate(env: gymnasium.Env, policy: Policy, seeds: Sequence[int]) -> list[Episode]:
    """Run one episode per seed and show the progress."""
    episodes = []
    with bar("evaluate", len(seeds)) as progress:
        for seed in seeds:
            episodes.append(play(env, policy, seed))
            progress.advance(describe(episodes))
    return episodes


def demonstrate(env: gymnasium.Env, seeds: Sequence[int]) -> list[Episode]:
    """Run one episode of the demonstrator per seed."""
    kind = "demonstration"
    return [rollout(env, behaviour(env, kind, seed), seed, kind) for seed in seeds]


def summarise(episodes: Sequence[Episode]) -> dict[str, float | None]:
    """Return success and violation rates, and the steps to the goal, over at least one episode.

    Returns:
        `episodes`, the number; `success_rate`, `success_se`, `violation_rate`, `violation_se`, the
        rates with their standard errors; `mean_steps`, `std_steps`, over the successful episodes,
        or None if there are none.
    """
    success = np.array([e.succeeded for e in episodes], float)
    violation = np.array([e.violated for e in episodes], float)
    steps = [e.steps_to_goal for e in episodes if e.steps_to_goal is not None]
    count = len(episodes)
    return {
        "episodes": count,
        "success_rate": float(success.mean()),
        "success_se": float(success.std() / np.sqrt(count)),
        "violation_rate": float(violation.mean()),
        "violation_se": float(violation.std() / np.sqrt(count)),
        "mean_steps": float(np.mean(steps)) if steps else None,
        "std_steps": float(np.std(steps)) if steps else None,
    }


def describe(episodes: Sequence[Episode]) -> str:
    """Return rates and steps as one line for a progress bar."""
    figures = summarise(episodes)
    steps = figures["mean_steps"]
    return f"success {figures['success_rate']:.2f}, violations {figures['violation_rate']:.2f}" + (
        "" if steps is None else f", steps {steps:.1f}"
    )
