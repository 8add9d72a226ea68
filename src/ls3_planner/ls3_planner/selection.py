"""Which candidates are elites: the best that meet (5) and (6), found at the least cost.

Three things save arithmetic. Heads are asked where the answer can matter and nowhere else. Where
8-bit integers are fast, all candidates are judged in them first, and only those whose fate is
within the error of that judgement are judged again in float32. And the error is not assumed: a
sample of the candidates is judged both ways in every iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ls3_models.learner import Models
from ls3_planner import quantised
from ls3_planner.config import PlannerConfig
from ls3_planner.quantised import QuantisedHeads
from ls3_planner.ranking import Judge, Margin
from ls3_planner.rollout import Draws, FloatNetworks, membership, objective, violation
from ls3_planner.workers import Workers

REFIT_SIGMAS = 0.75  # of the screen's error: elites to refit to; a wrong one is nearly as good
BEST_SIGMAS = 1.5  # the one that is executed
FEASIBLE_SIGMAS = 3.0
GOAL_EVERY = 4  # particles, one looks for the goal on the screen: far from it none finds any
LEAST_SAMPLE = 16  # candidates judged both ways, or 1 in 64
LEAST_ROWS = 8192  # candidates x particles: with fewer the screen costs more than it saves


@dataclass(frozen=True)
class Elites:
    """What the Gaussian is refitted to.

    index: (k,) among the candidates; actions: (k, H, A); the best comes first in the last
    iteration, and the order of the others says nothing. feasible: they meet (5) and (6);
    inside: they meet (5). With neither, they are the ones that come closest.
    """

    index: Tensor
    actions: Tensor
    inside: bool
    feasible: bool


@dataclass(frozen=True)
class Verdict:
    """One candidate looked at closely.

    imagined: (H, d) particle means; safe_probability and constraint_probability: left sides of
    (5) and (6); score: objective (2).
    """

    imagined: Tensor
    safe_probability: float
    constraint_probability: float
    score: float


class Selector:
    """Finds the elites among candidates, given the present latent."""

    def __init__(
        self, models: Models, *, screen: bool | None = None, least_rows: int = LEAST_ROWS
    ) -> None:
        """screen: judge in 8 bits first, by default where that is fast; least_rows: if there are
        so many candidates x particles.
        """
        self._least_rows = least_rows
        self._members = models.dynamics.mlp.members
        workers = Workers()
        self._exact = FloatNetworks(models, workers)
        if screen is None:
            screen = next(models.parameters()).device.type == "cpu" and quantised.supported()
        self._rough = QuantisedHeads(models, workers) if screen else None
        self._draws: Draws

    def elites(
        self,
        start: Tensor,
        candidates: Tensor,
        delta_safe: float,
        config: PlannerConfig,
        generator: Generator,
        *,
        final: bool = True,
    ) -> Elites:
        """The best feasible of `candidates` (N, H, A) from z_t ~ N(start[0], start[1]^2).

        Where none is feasible: those inside the safe set that violate least; where none is inside:
        those with the highest mean f_S. With `final` the first one is the best.
        """
        self._draws = Draws.sample(
            start, candidates.shape[1], config.cost.particles, self._members, generator
        )
        trajectory = self._exact.roll_out(self._draws, candidates)
        judge = Judge(delta_safe, config)
        index = None
        if self._rough is not None and len(candidates) * config.cost.particles >= self._least_rows:
            index = self._screened(self._rough, judge, trajectory, final)
        if index is None:
            index = judge.rank(self._exact, trajectory, config.cost.elites).index
            index = index[: config.cost.elites]
        if len(index):
            return Elites(index, candidates[index], inside=True, feasible=True)
        index, inside = self._nearest(judge, trajectory)
        return Elites(index, candidates[index], inside, feasible=False)

    def look_at(self, actions: Tensor, delta_safe: float, config: PlannerConfig) -> Verdict:
        """Judge one candidate (H, A) again, with the draws of the last call of `elites`."""
        trajectory = self._exact.roll_out(self._draws, actions[None])
        safe, _ = membership(self._exact, trajectory, delta_safe, config)
        return Verdict(
            imagined=trajectory[:, :, 0].mean(dim=1),
            safe_probability=float(safe[0]),
            constraint_probability=float(violation(self._exact, trajectory, config)[0]),
            score=float(objective(self._exact, trajectory)[0]),
        )

    def _nearest(self, judge: Judge, trajectory: Tensor) -> tuple[Tensor, bool]:
        """Where none is feasible: indices of those that come closest, whether they meet (5)."""
        count = judge.config.cost.elites
        safe, mean = membership(self._exact, trajectory, judge.delta_safe, judge.config)
        inside = judge.inside(safe, 0.0).nonzero()[:, 0]
        if len(inside) == 0:
            return torch.topk(mean, count).indices, False
        least = violation(self._exact, trajectory[:, :, inside], judge.config)
        nearest = torch.topk(least, min(count, len(inside)), largest=False).indices
        return inside[nearest], True

    def _screened(
        self, rough: QuantisedHeads, judge: Judge, trajectory: Tensor, final: bool
    ) -> Tensor | None:
        """Indices of the elites, or None where float32 has to decide on all candidates."""
        margin = self._calibrate(rough, judge, trajectory)
        if margin is None:
            return None
        count = judge.config.cost.elites
        ranking = judge.rank(rough, trajectory, count, margin)
        accepted, open_ = ranking.split(count, margin, best=final)
        if len(open_) > trajectory.shape[2] // 2:
            return None
        places = count - len(accepted)
        if places == 0 or len(open_) == 0:
            return accepted if len(accepted) else None
        again = judge.rank(self._exact, trajectory[:, :, open_], places).index[:places]
        if len(again) == 0 and (final or len(accepted) == 0):
            return None
        return torch.cat((open_[again], accepted))

    def _calibrate(self, rough: QuantisedHeads, judge: Judge, trajectory: Tensor) -> Margin | None:
        """Fit the ranges of the integers to a sample and see how far off they are on it.

        None where the sample holds numbers that are not finite.
        """
        config, exact, count = judge.config, self._exact, trajectory.shape[2]
        sample = trajectory[:, :, :: max(1, count // max(LEAST_SAMPLE, count // 64))]
        if not bool(torch.isfinite(sample).all()):
            return None
        rough.calibrate(sample)
        off = objective(rough, sample, goal_every=GOAL_EVERY) - objective(exact, sample)
        safe, probability = (
            [quantity(heads) for heads in (rough, exact)]
            for quantity in (
                lambda heads: membership(heads, sample, judge.delta_safe, config)[0],
                lambda heads: violation(heads, sample, config),
            )
        )
        if not bool(torch.isfinite(off).all()):
            return None
        bias = float(off.mean())
        return Margin(
            score=REFIT_SIGMAS * _rms(off - bias),
            best=BEST_SIGMAS * _rms(off - bias),
            safe=max(FEASIBLE_SIGMAS * _rms(safe[0] - safe[1]), 1.5 / config.cost.particles),
            violation=max(FEASIBLE_SIGMAS * _rms(probability[0] - probability[1]), 0.02),
            bias=bias,
            goal_every=GOAL_EVERY,
        )


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())
