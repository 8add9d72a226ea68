"""Rollouts of a fixed policy and the figures the paper reports of them (section 5.2)."""

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
    """One episode, ended at the goal or at a violation."""
    return run_episode(
        env, act, source=source, seed=seed, stop_on_success=True, stop_on_violation=True
    )


def play(env: gymnasium.Env, policy: Policy, seed: int) -> Episode:
    """One episode of a policy; its attributes are what the policy recorded of it."""
    policy.begin(seed)
    return replace(rollout(env, policy.act, seed), attributes=policy.record())


def evaluate(env: gymnasium.Env, policy: Policy, seeds: Sequence[int]) -> list[Episode]:
    """One episode per seed."""
    episodes = []
    with bar("evaluate", len(seeds)) as progress:
        for seed in seeds:
            episodes.append(play(env, policy, seed))
            progress.advance(describe(episodes))
    return episodes


def demonstrate(env: gymnasium.Env, seeds: Sequence[int]) -> list[Episode]:
    """The demonstrator alone on the same seeds."""
    kind = "demonstration"
    return [rollout(env, behaviour(env, kind, seed), seed, kind) for seed in seeds]


def summarise(episodes: Sequence[Episode]) -> dict[str, float | None]:
    """Success and violation rates with their standard errors, and mean steps of successes.

    The steps are None where there was no success.
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
    """One line for a progress bar."""
    figures = summarise(episodes)
    steps = figures["mean_steps"]
    return f"success {figures['success_rate']:.2f}, violations {figures['violation_rate']:.2f}" + (
        "" if steps is None else f", steps {steps:.1f}"
    )
