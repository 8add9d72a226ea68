"""The judgement of what is executed, on particles that the search did not see.

A search looks at thousands of candidates with a few particles each, and keeps those that these few
favour: of the candidate that it likes best they say too much good. Fresh particles do not.

Shapes: n candidates, P particles, H horizon, A action, d latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig

AT_ONCE = 4
"""Candidates that one set of fresh particles judges."""


@dataclass(frozen=True)
class Judgement:
    """What P particles say about n candidates.

    Attributes:
        actions: (n, H, A), the candidates, in [-1, 1].
        imagined: (n, H, d), the means of z_{t+1..t+H} over the particles.
        levels: (P, n), f_S(z_{t+H}).
        constraint_probability: (n,), the left side of (6), the largest over steps and constraints;
            NaN where f_C is not a number.
        excess: (n,), the upper confidence bound of that minus its own bound; (6) is met where it
            is not positive.
        score: the objective (2) (m,) of candidates by index (m,); -inf where it is not finite. It
            costs more than the rest together, and few are asked for it.
    """

    actions: Tensor
    imagined: Tensor
    levels: Tensor
    constraint_probability: Tensor
    excess: Tensor
    score: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Choice:
    """One candidate of a judgement, by its index, and its objective (2)."""

    judgement: Judgement
    candidate: int
    score: float


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
    passed = torch.ones_like(judgement.excess, dtype=torch.bool)
    if config.use_safe_set:
        bound = membership_bound(judgement.levels, delta_safe, config)
        passed &= bound >= config.least_membership(delta_safe)
    if config.use_constraint:
        passed &= judgement.excess <= 0
    return passed


def choose(
    judgement: Judgement, delta_safe: float, config: PlannerConfig, *, ranked: bool = False
) -> Choice | None:
    """Choose, of the candidates that pass, the one with the highest objective.

    ranked: whether they are in the order of the search's objective; then the first is chosen.

    Returns:
        None if none passes with a finite objective.
    """
    passed = passing(judgement, delta_safe, config).nonzero()[:, 0]
    if not len(passed):
        return None
    for group in passed.split(1 if ranked else len(passed)):
        score, place = judgement.score(group).max(dim=0)
        if torch.isfinite(score):
            return Choice(judgement, int(group[place]), float(score))
    return None
