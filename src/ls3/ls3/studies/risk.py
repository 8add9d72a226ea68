"""Calibrates the risk of a model on fresh rollouts, by Learn then Test.

Angelopoulos et al., "Learn then Test", 2021. The levels of delta_C are tested from the greatest on,
each on rollouts of its own that ran with it. The first level for which the share of executed steps
that lead to a violation is shown to be small enough becomes the model's. The levels share the
probability of an error, so that the confidence holds however many of them are tested.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ls3.learning import policy
from ls3.learning.ls3_agent import guarded_policy
from ls3_common.errors import UserError
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models.bundle import Bundle
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode
from ls3_planner.config import PlannerConfig
from ls3_planner.risk import RiskLimit, settings

FIRST_SEED = 4_000_000
"""Seed of the first rollout; nothing else uses these seeds."""
LEVELS = (1.0, 0.5, 0.25, 0.1)
"""The tested shares of the configured delta_C."""
ROUNDING = 1e-9


def loss(episode: Episode, horizon: int) -> float:
    """Return the share of an episode's executed steps that lead to a violation within H steps.

    A step without an action was not executed. 0 for an episode without executed steps.
    """
    executed = np.flatnonzero((episode.actions != 0).any(axis=1))
    if not len(executed):
        return 0.0
    return float(np.mean([episode.constraint[t : t + horizon].any() for t in executed]))


def p_value(losses: np.ndarray, share: float) -> float:
    """Return how likely such losses are if their mean is above `share` (Hoeffding and Bentkus).

    Bates et al., "Distribution-free, risk-controlling prediction sets", 2021, theorem 2.

    losses: of independent rollouts, in [0, 1], (n,). share: between 0 and 1.
    """
    count, seen = len(losses), float(losses.mean())
    if seen >= share:
        return 1.0
    apart = (1 - seen) * math.log((1 - seen) / (1 - share))
    if seen:
        apart += seen * math.log(seen / share)
    most = math.ceil(seen * count - ROUNDING)
    ways = (math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(most + 1))
    return min(math.exp(-count * apart), math.e * math.fsum(ways), 1.0)


def rollouts_needed(share: float, confidence: float) -> int:
    """Return the least number of rollouts that can show a share, if none has a violation."""
    return math.ceil(math.log((1 - confidence) / len(LEVELS)) / math.log(1 - share) - ROUNDING)


@dataclass(frozen=True)
class RiskStudy:
    """One calibration.

    Attributes:
        bundle: the model; its former limit does not count.
        config: settings of the planner.
        env: the environment.
        variations: those of `env`.
        rollouts: number of rollouts of each level.
        share: what is to be shown.
        confidence: with which.
        work: directory of the rollouts' files.
    """

    bundle: Bundle
    config: PlannerConfig
    env: gymnasium.Env
    variations: Mapping[str, Any]
    rollouts: int
    share: float
    confidence: float
    work: Path

    def run(self) -> RiskLimit:
        """Test the levels, and return the limit of the first that is shown.

        Raises:
            UserError: there are too few rollouts, or no level is shown.
            Interrupted: on SIGINT or SIGTERM; the rollouts so far are kept.
        """
        needed = rollouts_needed(self.share, self.confidence)
        if self.rollouts < needed:
            raise UserError(
                f"{self.rollouts} rollouts cannot show {self.share:g} with confidence "
                f"{self.confidence:g}",
                do=f"give at least {needed}",
            )
        tried = []
        for level in LEVELS:
            config = replace(self.config, delta_constraint=level * self.config.delta_constraint)
            episodes = self._play(config)
            losses = np.array([loss(episode, config.horizon) for episode in episodes])
            seen, p = float(losses.mean()), p_value(losses, self.share)
            print(f"delta_C {config.delta_constraint:g}: {seen:.2%} of executed steps, p {p:.2g}")
            if p <= (1 - self.confidence) / len(LEVELS) * (1 + ROUNDING):
                return RiskLimit(
                    delta_constraint=config.delta_constraint,
                    share=self.share,
                    confidence=self.confidence,
                    rollouts=len(episodes),
                    seen=seen,
                    settings=settings(self.config),
                    variations=dict(self.variations),
                )
            tried.append(f"{config.delta_constraint:g} ({seen:.1%})")
        raise UserError(
            f"no delta_C was shown to keep {self.share:g}: {', '.join(tried)}",
            do="more rollouts, a greater --share, or a model that knows its constraints better",
        )

    def _play(self, config: PlannerConfig) -> list[Episode]:
        text = json.dumps([settings(config), config.delta_constraint, dict(self.variations)])
        directory = self.work / f"{self.bundle.identity}-{zlib.crc32(text.encode()):08x}"
        seeds = [FIRST_SEED + i for i in range(self.rollouts)]
        files = [directory / f"{seed}{SUFFIX}" for seed in seeds]
        todo = [(seed, file) for seed, file in zip(seeds, files, strict=True) if not file.exists()]
        acting = guarded_policy(self.bundle, config)
        title = f"delta_C {config.delta_constraint:g}"
        with StopRequest() as stop, bar(title, len(files), len(files) - len(todo)) as progress:
            for seed, file in todo:
                write_episode(directory, file.stem, policy.play(self.env, acting, seed))
                progress.advance()
                if stop.requested:
                    raise Interrupted
        return [read_episode(file) for file in files]
