"""Candidates in the order of the objective, as far as they may be feasible and among the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig
from ls3_planner.rollout import Networks, excess, objective, particle_scores

CHOSEN = 3  # particles that a preview looks at
SAMPLE = 32  # candidates that it is fitted to
RIDGE = 0.02  # of the sum of squares of a particle's scores
REFIT_SIGMAS = 0.6  # of a preview's error: elites to refit to; a wrong one is nearly as good
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
    """A few particles, from which the mean over all is predicted; the margin is measured.

    Candidates share the draws of a particle (`Draws`), so that particles mostly shift the scores of
    all candidates alike, and a linear function of few predicts the rest.
    """

    few: Full
    weight: Tensor
    offset: Tensor
    margin: Margin

    @property
    def config(self) -> PlannerConfig:
        """See `View`."""
        return self.few.config

    @classmethod
    def fit(cls, full: Full, index: Tensor) -> Preview | None:
        """From a sample of candidates `index` and all particles, chosen by matching pursuit.

        None where that would cost more than it saves, or numbers are not finite.
        """
        particles, count = full.trajectory.shape[1], len(index)
        if count * particles <= 2 * (SAMPLE * particles + count * CHOSEN):
            return None
        sample = full.trajectory.index_select(2, index[:: math.ceil(count / SAMPLE)])
        scores = particle_scores(full.networks, sample).double()
        if not bool(torch.isfinite(scores.sum())):
            return None
        mean, target = scores.mean(dim=1), scores.mean(dim=0)
        centred, rest = scores - mean[:, None], target - target.mean()
        power = centred.square().sum(dim=1)
        chosen: list[int] = []
        for _ in range(CHOSEN):
            match = (centred @ rest).abs() / power.clamp(min=1e-12).sqrt()
            match[chosen] = -1
            chosen.append(int(match.argmax()))
            few = centred[chosen]
            gram = few @ few.T + torch.diag(RIDGE * power[chosen] + 1e-9)
            weight = torch.linalg.solve(gram, few @ (target - target.mean()))
            rest = target - target.mean() - weight @ few
        freedom = 1 - 2 * CHOSEN / scores.shape[1]
        error = float((rest.square().mean() / freedom).sqrt())
        order = torch.tensor(chosen, device=index.device)
        part = Full(full.networks, full.trajectory.index_select(1, order), full.config)
        half = sample[:, :, ::2]
        off = excess(full.networks, half.index_select(1, order), full.config)
        off -= excess(full.networks, half, full.config)
        margin = Margin(
            score=REFIT_SIGMAS * error,
            best=BEST_SIGMAS * error,
            violation=max(FEASIBLE_SIGMAS * float(off.square().mean().sqrt()), 0.02),
        )
        offset = target.mean() - weight @ mean[chosen]
        return cls(part, weight.float(), offset.float(), margin)

    def score(self, index: Tensor) -> Tensor:
        """See `View`."""
        scores = particle_scores(self.few.networks, self.few.trajectory.index_select(2, index))
        score = self.weight @ scores + self.offset
        return torch.nan_to_num(score, nan=-torch.inf, posinf=-torch.inf)

    def excess(self, index: Tensor) -> Tensor:
        """See `View`."""
        return self.few.excess(index)


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
