"""Candidates in the order of the objective, as far as they may be feasible and among the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig
from ls3_planner.rollout import Networks, excess, objective
from ls3_planner.terms import Term, all_terms, error, fit

BUDGET = 8  # evaluations of a network that a preview's score takes
CHOSEN = 3  # particles of which a preview's excess is the mean
SAMPLE = 32  # candidates that it is fitted to
REFIT_SIGMAS = 0.3  # of a preview's error: elites to refit to; a wrong one is nearly as good
BEST_SIGMAS = 1.5  # the one that is executed
FEASIBLE_SIGMAS = 3.0
LEAST_STEP = 32  # candidates of which (6) is asked at a time


@dataclass(frozen=True)
class Margin:
    """How far judgements may be off, each in its own unit.

    best: of scores too, where the one to be executed is looked for.
    """

    score: float = 0.0
    best: float = 0.0
    violation: float = 0.0


@dataclass(frozen=True)
class Ranking:
    """index: (m,) candidates, best first; score: (m,); sure: bool (m,), feasible in any case."""

    index: Tensor
    score: Tensor
    sure: Tensor

    def split(self, count: int, margin: Margin, *, best: bool) -> tuple[Tensor, Tensor]:
        """Candidates certainly among the `count` best, and those that may be, as indices.

        True scores lie within the margin of the given ones. A candidate is certain if, with its
        score a margin lower and all others a margin higher, fewer than `count` exceed it. With
        `best`, whatever may be the very best is left uncertain, so that it gets another look.
        """
        certain = self.sure.clone()
        if len(self.index) > count:
            certain &= self.score - self.score[count] > 2 * margin.score
        if best and bool(self.sure.any()):
            certain &= self.score[self.sure][0] - self.score > 2 * margin.best
        return self.index[certain], self.index[~certain]


class View(Protocol):
    """What is asked about candidates, by index (m,): objective (2), excess in (6); each (m,)."""

    @property
    def margin(self) -> Margin: ...

    @property
    def config(self) -> PlannerConfig: ...

    def score(self, index: Tensor) -> Tensor:
        """-inf where it is not finite."""
        ...

    def excess(self, index: Tensor) -> Tensor:
        """See `rollout.excess`."""
        ...


@dataclass(frozen=True)
class Full:
    """All particles of trajectories (H, P, n, d)."""

    networks: Networks
    trajectory: Tensor
    config: PlannerConfig
    margin: Margin = Margin()

    def score(self, index: Tensor) -> Tensor:
        """See `View`."""
        return objective(self.networks, self.trajectory.index_select(2, index))

    def excess(self, index: Tensor) -> Tensor:
        """See `View`."""
        return excess(self.networks, self.trajectory.index_select(2, index), self.config)


@dataclass(frozen=True)
class Preview:
    """A few terms of the objective, from which it is predicted; the margin is measured."""

    full: Full
    terms: Sequence[Term]
    weight: Sequence[float]
    offset: float
    few: Full
    margin: Margin

    @property
    def config(self) -> PlannerConfig:
        """See `View`."""
        return self.full.config

    @classmethod
    def fit(cls, full: Full, index: Tensor) -> Preview | None:
        """From a sample of candidates `index` and all terms, chosen by matching pursuit.

        None where that would cost more than it saves, or numbers are not finite.
        """
        horizon, particles, _, _ = full.trajectory.shape
        count, budget = len(index), max(BUDGET, horizon)
        if count < 2 * SAMPLE or particles <= CHOSEN:
            return None
        sample = full.trajectory.index_select(2, index[:: math.ceil(count / SAMPLE)])
        terms, values, target = all_terms(full.networks, sample)
        if not terms or not np.isfinite(target.sum()):
            return None
        found = fit(terms, values, target, budget)
        off_by = error(terms, values, target, budget)
        used = [terms[place] for place in found.chosen]
        order = torch.tensor(_particles(used, particles), device=index.device)
        part = Full(full.networks, full.trajectory.index_select(1, order), full.config)
        half = sample[:, :, ::2]
        off = excess(full.networks, half.index_select(1, order), full.config)
        off -= excess(full.networks, half, full.config)
        margin = Margin(
            score=REFIT_SIGMAS * off_by,
            best=BEST_SIGMAS * off_by,
            violation=max(FEASIBLE_SIGMAS * float(off.square().mean().sqrt()), 0.02),
        )
        return cls(full, used, found.weight.tolist(), found.offset, part, margin)

    def score(self, index: Tensor) -> Tensor:
        """See `View`."""
        score = torch.full((len(index),), self.offset, device=index.device)
        for weight, term in zip(self.weight, self.terms, strict=True):
            score += weight * term(self.full.networks, self.full.trajectory, index)
        return torch.nan_to_num(score, nan=-torch.inf, posinf=-torch.inf)

    def excess(self, index: Tensor) -> Tensor:
        """See `View`."""
        return self.few.excess(index)


def _particles(terms: Sequence[Term], count: int) -> list[int]:
    """Name CHOSEN of `count` particles, those of the terms first."""
    return list(dict.fromkeys([*(term.particle for term in terms), *range(count)]))[:CHOSEN]


def rank(view: View, index: Tensor, count: int) -> Ranking:
    """The `count` best feasible of candidates `index`, which meet (5), and all that may be.

    Without a margin judgements are exact. Then the first `count` are the elites, and leaving work
    out changes none of them: (6) is asked in the order of (2), until `count` candidates meet it,
    which are then the best that do. With a margin the same holds of the least and the most that
    may be true.
    """
    margin, config = view.margin, view.config
    score, order = torch.sort(view.score(index), descending=True, stable=True)
    order = order[: int(torch.isfinite(score).sum())]
    index, score = index[order], score[: len(order)]
    sure = torch.ones_like(index, dtype=torch.bool)
    if not config.use_constraint:
        return _cut(Ranking(index, score, sure), count, margin)
    possible = torch.zeros_like(sure)
    step = max(count, LEAST_STEP)
    for begin in range(0, len(index), step):
        part = slice(begin, begin + step)
        found = Ranking(index[:begin], score[:begin], sure[:begin] & possible[:begin])
        if bool(score[begin] < _floor(found, count, margin)):
            break
        excess = view.excess(index[part])
        possible[part] = excess <= margin.violation
        sure[part] = excess <= -margin.violation
    found = Ranking(index[possible], score[possible], sure[possible])
    return _cut(found, count, margin)


def _floor(found: Ranking, count: int, margin: Margin) -> float:
    """What a candidate must score to be possibly among the `count` best."""
    scores = found.score[found.sure]
    return -torch.inf if len(scores) < count else float(scores[count - 1]) - 2 * margin.score


def _cut(found: Ranking, count: int, margin: Margin) -> Ranking:
    keep = found.score >= _floor(found, count, margin)
    return Ranking(found.index[keep], found.score[keep], found.sure[keep])
