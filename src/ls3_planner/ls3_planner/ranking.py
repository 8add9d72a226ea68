"""Candidates in the order of the objective, as far as they may be feasible and among the best."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig
from ls3_planner.rollout import Heads, membership, objective, violation


@dataclass(frozen=True)
class Margin:
    """How far judgements may be off, each in its own unit; `bias` is taken off the scores.

    best: of scores too, where the one to be executed is looked for; goal_every: see `objective`,
    part of being off.
    """

    score: float = 0.0
    best: float = 0.0
    safe: float = 0.0
    violation: float = 0.0
    bias: float = 0.0
    goal_every: int = 1


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


@dataclass(frozen=True)
class Judge:
    """The question of one iteration: this delta_S, these rules."""

    delta_safe: float
    config: PlannerConfig

    def inside(self, safe: Tensor, margin: float) -> Tensor:
        """Whether (5) holds by at least `margin`, bool (n,); everywhere without a safe set."""
        if not self.config.use_safe_set:
            return torch.ones_like(safe, dtype=torch.bool)
        mean = self.config.safe_rule == "mean"
        return safe >= (self.delta_safe if mean else 1 - self.delta_safe) + margin

    def rank(
        self, heads: Heads, trajectory: Tensor, count: int, margin: Margin | None = None
    ) -> Ranking:
        """The `count` best feasible of trajectories (H, P, n, d), and all that may be among them.

        Without a margin judgements are exact. Then the first `count` are the elites, and leaving
        work out changes none of them: (2) is asked of candidates that meet (5), which all elites
        do; (6) is asked in the order of (2), until `count` candidates meet it, which are then the
        best that do. With a margin the same holds of the least and the most that may be true.
        """
        margin, config = margin or Margin(), self.config
        safe, _ = membership(heads, trajectory, self.delta_safe, config)
        index = self.inside(safe, -margin.safe).nonzero()[:, 0]
        score = objective(heads, trajectory, index, margin.goal_every) - margin.bias
        score, order = torch.sort(score, descending=True, stable=True)
        order = order[: int(torch.isfinite(score).sum())]
        index, score = index[order], score[: len(order)]
        sure = self.inside(safe[index], margin.safe)
        if not config.use_constraint:
            return self._cut(Ranking(index, score, sure), count, margin)
        possible = torch.zeros_like(sure)
        for begin in range(0, len(index), count):
            part = slice(begin, begin + count)
            found = Ranking(index[:begin], score[:begin], sure[:begin] & possible[:begin])
            if bool(score[begin] < self._floor(found, count, margin)):
                break
            probability = violation(heads, trajectory[:, :, index[part]], config)
            possible[part] = probability <= config.delta_constraint + margin.violation
            sure[part] &= probability <= config.delta_constraint - margin.violation
        found = Ranking(index[possible], score[possible], sure[possible])
        return self._cut(found, count, margin)

    def _floor(self, found: Ranking, count: int, margin: Margin) -> float:
        """What a candidate must score to be possibly among the `count` best."""
        scores = found.score[found.sure]
        return -torch.inf if len(scores) < count else float(scores[count - 1]) - 2 * margin.score

    def _cut(self, found: Ranking, count: int, margin: Margin) -> Ranking:
        keep = found.score >= self._floor(found, count, margin)
        return Ranking(found.index[keep], found.score[keep], found.sure[keep])
