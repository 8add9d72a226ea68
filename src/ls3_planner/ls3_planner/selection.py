"""Which candidates are elites: the best that meet (5) and (6), found at the least cost.

Three things save arithmetic. Heads are asked where the answer can matter and nowhere else. Of most
candidates only a few particles are looked at (`ranking.Preview`), and those whose fate is within
the measured error of that are looked at again. And where the processor multiplies numbers of 16
bits, the search does; what is executed is judged in float32, with all particles.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ls3_models.learner import Models
from ls3_planner import native
from ls3_planner.config import PlannerConfig
from ls3_planner.native import CompiledNetworks
from ls3_planner.ranking import Full, Preview, rank
from ls3_planner.rollout import (
    Draws,
    FloatNetworks,
    Networks,
    inside,
    membership,
    objective,
    safe_levels,
    violation,
)
from ls3_planner.workers import Workers

FIRST_LOOK = 8  # of the elites: those that are judged in float32 to find the one to execute


@dataclass(frozen=True)
class Elites:
    """What the Gaussian is refitted to.

    index: (k,) among the candidates; actions: (k, H, A); the best comes first in the last
    iteration, and the order of the others says nothing. feasible: they meet (5) and (6);
    inside: they meet (5). With neither, they are the ones that come closest, with `levels`
    (P, k) of f_S at their ends.
    """

    index: Tensor
    actions: Tensor
    inside: bool
    feasible: bool
    levels: Tensor | None = None

    def within(self, delta_safe: float, config: PlannerConfig) -> bool:
        """Whether, of elites that do not meet (5), any would at this delta_S."""
        return self.levels is not None and bool(inside(self.levels, delta_safe, config).any())


@dataclass(frozen=True)
class Judgement:
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

    def __init__(self, models: Models, *, compiled: bool | None = None) -> None:
        """compiled: use `networks.cpp`, by default on a CPU where there is a compiler."""
        self._members = models.dynamics.mlp.members
        workers = Workers()
        if compiled is None:
            compiled = next(models.parameters()).device.type == "cpu"
        self._quick = compiled
        self._exact: Networks = FloatNetworks(models, workers)
        if compiled and native.available(torch.float32):
            self._exact = CompiledNetworks(models, workers, torch.float32)
        self._fast = self._exact
        half = next(filter(native.available, native.HALVES), None) if compiled else None
        if half is not None:
            self._fast = CompiledNetworks(models, workers, half)
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
        index = None
        if self._quick:
            look = _Look(self._fast, self._draws, candidates, delta_safe, config)
            index = look.elites(previews=True, final=final)
            if index is not None and final:
                index = self._best_first(candidates, index, delta_safe, config)
        if index is None:
            look = _Look(self._exact, self._draws, candidates, delta_safe, config)
            index = look.elites(previews=False, final=final)
        if index is not None:
            return Elites(index, candidates[index], inside=True, feasible=True)
        index, levels = look.nearest()
        return Elites(
            index, candidates[index], inside=levels is None, feasible=False, levels=levels
        )

    def _best_first(
        self, candidates: Tensor, index: Tensor, delta_safe: float, config: PlannerConfig
    ) -> Tensor | None:
        """Elites `index`, the best one in float32 in front; None if none is feasible in it."""
        for begin in range(0, len(index), FIRST_LOOK):
            part = index[begin : begin + FIRST_LOOK]
            look = _Look(self._exact, self._draws, candidates[part], delta_safe, config)
            found = look.elites(previews=False, final=True)
            if found is not None:
                best = part[found[:1]]
                return torch.cat((best, index[index != best]))
        return None

    def look_at(self, actions: Tensor, delta_safe: float, config: PlannerConfig) -> Judgement:
        """Judge one candidate (H, A) again, with the draws of the last call of `elites`."""
        trajectory = self._exact.roll_out(self._draws, actions[None])
        levels = safe_levels(self._exact, trajectory)
        return Judgement(
            imagined=trajectory[:, :, 0].mean(dim=1),
            safe_probability=float(membership(levels, delta_safe, config)[0]),
            constraint_probability=float(violation(self._exact, trajectory, config)[0]),
            score=float(objective(self._exact, trajectory)[0]),
        )


class _Look:
    """Rollouts of candidates (N, H, A) in some arithmetic, and what they say of (5)."""

    def __init__(
        self,
        networks: Networks,
        draws: Draws,
        candidates: Tensor,
        delta_safe: float,
        config: PlannerConfig,
    ) -> None:
        self._full = Full(networks, networks.roll_out(draws, candidates), config)
        self._levels = safe_levels(networks, self._full.trajectory)
        if config.use_safe_set:
            self._inside = inside(self._levels, delta_safe, config).nonzero()[:, 0]
        else:
            self._inside = torch.arange(len(candidates), device=candidates.device)

    def elites(self, *, previews: bool, final: bool) -> Tensor | None:
        """Indices of the elites, with `final` the best one first; None where none is feasible.

        With previews also where numbers are not finite: that is for float32 to decide.
        """
        index, count = self._inside, self._full.config.cost.elites
        if previews and not bool(torch.isfinite(self._full.trajectory[-1].sum())):
            return None
        preview = Preview.fit(self._full, index) if previews else None
        if preview is None:
            index = rank(self._full, index, count).index[:count]
        else:
            accepted, open_ = rank(preview, index, count).split(count, preview.margin, best=final)
            places = count - len(accepted)
            again = rank(self._full, open_, places).index[:places] if places else open_[:0]
            index = torch.cat((again, accepted))
        return index if len(index) else None

    def nearest(self) -> tuple[Tensor, Tensor | None]:
        """Where none is feasible: indices of those that come closest; their f_S if outside (5)."""
        count = self._full.config.cost.elites
        if len(self._inside) == 0:
            index = torch.topk(self._levels.mean(dim=0), count).indices
            return index, self._levels[:, index]
        least = self._full.violation(self._inside)
        nearest = torch.topk(least, min(count, len(least)), largest=False).indices
        return self._inside[nearest], None
