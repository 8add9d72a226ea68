"""Why there is no plan: which of (5) and (6) the best candidate fails, and by how much.

Asked only where no candidate may be executed: a plan with an action costs nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ls3_planner.config import PlannerConfig
from ls3_planner.judge import Judgement, membership_bound
from ls3_planner.rollout import membership


@dataclass(frozen=True)
class Shortfall:
    """What the candidate that came closest to a plan lacks.

    Attributes:
        safe_probability: the left side of (5), or the mean of f_S where that is the rule.
        constraint_probability: the left side of (6), the largest over steps and constraints.
            Both are NaN where the model's numbers are not finite.
        reason: in words, beside the figures that were asked for.
    """

    safe_probability: float
    constraint_probability: float
    reason: str


def shortfall(
    judged: Sequence[Judgement],
    delta_safe: float,
    config: PlannerConfig,
    bounds: Sequence[float],
    *,
    sure: bool,
) -> Shortfall:
    """What the best of candidates lacks, none of which may be executed.

    Args:
        judged: the judgements of the candidates, each by as many particles.
        delta_safe: delta_S in force.
        config: the planner's parameters.
        bounds: the right side of (6) for each constraint.
        sure: whether (5) and (6) were to be met with the configured confidence, as fresh particles
            must show it. The particles of a search need not.
    """
    levels = torch.cat([one.levels for one in judged], dim=1)
    excesses = torch.cat([one.excess for one in judged])
    violations = torch.cat([one.constraint_probability for one in judged])
    imagined = torch.cat([one.imagined for one in judged])
    share = membership(levels, delta_safe, config)
    shown = membership_bound(levels, delta_safe, config) if sure else share
    best = _closest(shown, excesses, delta_safe, config)
    for numbers, used, of in (
        (imagined[best], True, "the imagined states are"),
        (levels[:, best], config.use_safe_set, "f_S is"),
        (violations[best], config.use_constraint, "f_C is"),
    ):
        if used and not bool(torch.isfinite(numbers).all()):
            return Shortfall(math.nan, math.nan, f"no plan: {of} not finite")
    safe, violation, excess = float(share[best]), float(violations[best]), float(excesses[best])
    asked = config.least_membership(delta_safe)
    outside = config.use_safe_set and not float(shown[best]) >= asked
    violates = config.use_constraint and not excess <= 0

    name = "mean f_S" if config.safe_rule == "mean" else "P(in the safe set)"
    five = f"{name} {'at most ' if outside else ''}{_short(safe)}"
    if outside and safe >= asked:
        five += f" ({_short(float(shown[best]))} with confidence {config.confidence:g})"
    five += f" of {_short(asked)} asked at delta_S {_short(delta_safe)}"
    six = f"P(violation) {'at least ' if violates and not outside else ''}{_short(violation)}"
    if len(set(bounds)) != 1:  # the constraint of the excess is not known here
        six += f", {_short(abs(excess))} {'above' if excess > 0 else 'below'} its own bound"
    else:
        if violates and violation <= bounds[0]:
            six += f" ({_short(bounds[0] + excess)} with confidence {config.confidence:g})"
        six += f" of {_short(bounds[0])} allowed"

    if outside and violates:
        what = f", (5) and (6) fail: {five}; for that candidate {six}"
    elif outside:
        what = f", (5) fails: {five}" + (f"; {six}" if config.use_constraint and bounds else "")
    elif violates:
        what = f", (6) fails: {six}" + (f"; {five}" if config.use_safe_set else "")
    else:
        what = ": the objective (2) is not finite where (5) and (6) are met"
    return Shortfall(safe, violation, f"no plan{what}")


def _short(number: float) -> str:
    return f"{number:.3g}"


def _closest(shown: Tensor, excess: Tensor, delta_safe: float, config: PlannerConfig) -> int:
    """The candidate that came closest, in the order in which the search proceeds.

    Of those that meet (5), the one that violates (6) least. Where none meets (5), the one that
    comes closest to it, and of several the one that violates (6) least.

    shown: (n,), what (5) compares; excess: (n,), see `Judgement`.
    """
    order = excess.nan_to_num(nan=math.inf).argsort(stable=True)
    if config.use_safe_set:
        # to meet (5) by more is no merit
        key = shown.nan_to_num(nan=-math.inf).clamp(max=config.least_membership(delta_safe))
        order = order[key[order].argsort(descending=True, stable=True)]
    return int(order[0])
