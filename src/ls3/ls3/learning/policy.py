"""Rollouts of a fixed policy and the figures the paper reports of them (section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from ls3.learning.environment import Act, behaviour, run_episode
from ls3_common.progress import bar
from ls3_models.bundle import Bundle
from ls3_models.episodes import Episode
from ls3_planner.plan import Planner


@dataclass
class PlannerPolicy:
    """Encodes, plans, and holds where there is no feasible plan; counts what happened."""

    bundle: Bundle
    planner: Planner
    holds: int = 0
    plan_ms: list[float] = field(default_factory=list)

    def reset(self, seed: int) -> None:
        self.planner.reset(seed)

    def clear(self) -> None:
        """Forget the counts."""
        self.holds, self.plan_ms = 0, []

    def __call__(self, observation: np.ndarray, info: Any) -> np.ndarray | None:
        if info["constraint"]:
            return None  # frozen: nothing is left to decide
        mean, std = self.bundle.encode(observation[None])
        plan = self.planner.plan(mean[0], std[0])
        self.plan_ms.append(plan.solve_time_s * 1e3)
        if not plan.feasible:
            self.holds += 1
            return None
        return plan.action


def rollout(env: gymnasium.Env, act: Act, seed: int, source: str = "online") -> Episode:
    """One episode, ended at the goal or at a violation."""
    return run_episode(
        env, act, source=source, seed=seed, stop_on_success=True, stop_on_violation=True
    )


def evaluate(env: gymnasium.Env, policy: PlannerPolicy, seeds: Sequence[int]) -> list[Episode]:
    """One episode per seed."""
    episodes = []
    with bar("evaluate", len(seeds)) as progress:
        for seed in seeds:
            policy.reset(seed)
            episodes.append(rollout(env, policy, seed))
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
