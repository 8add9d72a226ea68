"""The judgement of what is executed, on particles that the search did not see.

A search looks at thousands of candidates with a few particles each, and keeps those that these few
favour: of the candidate that it likes best they say too much good. Fresh particles do not.

Shapes: n candidates, P particles, H horizon, A action, d latent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig

AT_ONCE = 8
"""Candidates that one set of fresh particles judges."""


@dataclass(frozen=True)
class Judgement:
    """What P particles say about n candidates.

    Attributes:
        actions: (n, H, A), the candidates, in [-1, 1].
        imagined: (n, H, d), the means of z_{t+1..t+H} over the particles.
        levels: (P, n), f_S(z_{t+H}).
        constraint_probability: (n,), the left side of (6), the largest over steps and constraints.
        excess: (n,), the upper confidence bound of that minus its own bound; (6) is met where it
            is not positive.
        score: (n,), the objective (2); -inf where it is not finite.
    """

    actions: Tensor
    imagined: Tensor
    levels: Tensor
    constraint_probability: Tensor
    excess: Tensor
    score: Tensor

    def __getitem__(self, candidate: int) -> Judgement:
        """The judgement of one of the candidates."""
        one = slice(candidate, candidate + 1)
        return Judgement(
            self.actions[one],
            self.imagined[one],
            self.levels[:, one],
            self.constraint_probability[one],
            self.excess[one],
            self.score[one],
        )


def upper_mean(values: Tensor, dim: int, sigmas: float) -> Tensor:
    """The upper confidence bound of the mean of `values` along `dim`."""
    mean = values.mean(dim=dim)
    if not sigmas:
        return mean
    return mean + sigmas * values.std(dim=dim) / math.sqrt(values.shape[dim])


def membership_bound(levels: Tensor, delta_safe: float, config: PlannerConfig) -> Tensor:
    """The lower confidence bound of the left side of (5) (n,), of levels (P, n).

    Of a share this is Wilson's bound; it stays sensible where all particles agree.
    """
    z, count = config.sigmas, len(levels)
    if config.safe_rule == "mean":
        return -upper_mean(-levels, 0, z)
    share = (levels >= delta_safe).float().mean(dim=0)
    spread = (share * (1 - share) / count + (z / (2 * count)) ** 2).sqrt()
    return (share + z**2 / (2 * count) - z * spread) / (1 + z**2 / count)


def passing(judgement: Judgement, delta_safe: float, config: PlannerConfig) -> Tensor:
    """Which candidates (n,) meet (5) and (6), each with the configured confidence."""
    passed = torch.isfinite(judgement.score)
    if config.use_safe_set:
        bound = membership_bound(judgement.levels, delta_safe, config)
        passed &= bound >= config.least_membership(delta_safe)
    if config.use_constraint:
        passed &= judgement.excess <= 0
    return passed


def best(judgement: Judgement, delta_safe: float, config: PlannerConfig) -> Judgement | None:
    """The candidate with the highest score of those that pass; None if none does."""
    passed = passing(judgement, delta_safe, config)
    if not passed.any():
        return None
    return judgement[int(judgement.score.where(passed, -torch.inf).argmax())]
