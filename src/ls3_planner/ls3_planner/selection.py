"""Which candidates are elites: the best that meet (5) and (6), found at the least cost.

Three things save arithmetic. Heads are asked where the answer can matter and nowhere else. Of most
candidates only a few particles are looked at (`ranking.Preview`), and those whose fate is within
the measured error of that are looked at again. And where the processor multiplies numbers of 16
bits, the search does; what is executed is judged in float32, with all particles.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ls3_models.bundle import Bundle
from ls3_models.heads import Role
from ls3_models.models import Models
from ls3_planner import native
from ls3_planner.cem import CrossEntropyPlanner, Elites
from ls3_planner.config import PlannerConfig
from ls3_planner.judge import Judgement
from ls3_planner.native import CompiledNetworks
from ls3_planner.ranking import Full, Preview, rank
from ls3_planner.rollout import (
    Draws,
    FloatNetworks,
    Networks,
    heads_in,
    inside,
    objective,
    safe_levels,
    says,
    violation,
    worst_step,
)
from ls3_planner.workers import Workers


def fast_planner(
    bundle: Bundle, config: PlannerConfig, seed: int = 0, device: str = "cpu"
) -> CrossEntropyPlanner:
    """The cross-entropy method with the selector of this file."""
    selector = FastSelector(bundle.models.to(device), config)
    return CrossEntropyPlanner(bundle, config, selector, seed, device)


class FastSelector:
    """See `cem.Selector`; follows weights that are changed in place."""

    def __init__(
        self, models: Models, config: PlannerConfig, *, compiled: bool | None = None
    ) -> None:
        """compiled: use `networks.cpp`, by default on a CPU where there is a compiler."""
        self._config, self._members = config, models.dynamics.mlp.members
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

    def draw(self, start: Tensor, horizon: int, particles: int, generator: Generator) -> None:
        """See `cem.Selector`."""
        self._draws = Draws.sample(start, horizon, particles, self._members, generator)

    def elites(self, candidates: Tensor, delta_safe: float, *, final: bool = True) -> Elites:
        """See `cem.Selector`."""
        index = None
        if self._quick:
            look = _Look(self._fast, self._draws, candidates, delta_safe, self._config)
            index = look.elites(previews=True, final=final)
        if index is None:
            look = _Look(self._exact, self._draws, candidates, delta_safe, self._config)
            index = look.elites(previews=False, final=final)
        feasible = index is not None
        if index is None:
            index = look.nearest()
        return Elites(
            index,
            candidates[index],
            inside=feasible or look.any_inside,
            feasible=feasible,
            levels=look.levels[:, index],
            excess=look.excess(index),
        )

    def judge(self, actions: Tensor) -> Judgement:
        """See `cem.Selector`."""
        networks, config = self._exact, self._config
        trajectory = networks.roll_out(self._draws, actions)
        violations, worst = (
            actions.new_zeros(len(actions)),
            actions.new_full((len(actions),), -torch.inf),
        )
        for head in heads_in(networks, Role.STEP_CONSTRAINT):
            probability = says(networks, head, trajectory)
            violations = violations.maximum(worst_step(probability, config))
            bounded = violation(probability, config, config.sigmas)
            worst = worst.maximum(bounded - head.bound(config.delta_constraint))
        return Judgement(
            actions=actions,
            imagined=trajectory.mean(dim=1).transpose(0, 1),
            levels=safe_levels(networks, trajectory),
            constraint_probability=violations,
            excess=worst,
            score=lambda index: objective(networks, trajectory.index_select(2, index)),
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
        self.levels = safe_levels(networks, self._full.trajectory)
        if config.use_safe_set:
            self._inside = inside(self.levels, delta_safe, config).nonzero()[:, 0]
        else:
            self._inside = torch.arange(len(candidates), device=candidates.device)

    def elites(self, *, previews: bool, final: bool) -> Tensor | None:
        """Indices of the elites, with `final` the best ones first; None where none is feasible.

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

    def excess(self, index: Tensor) -> Tensor:
        """See `rollout.excess`, of candidates by index."""
        return self._full.excess(index)

    @property
    def any_inside(self) -> bool:
        """Whether any candidate meets (5)."""
        return len(self._inside) > 0

    def nearest(self) -> Tensor:
        """Where none is feasible: indices of those that come closest."""
        count = self._full.config.cost.elites
        if not self.any_inside:
            return torch.topk(self.levels.mean(dim=0), count).indices
        excess = self._full.excess(self._inside)
        nearest = torch.topk(excess, min(count, len(excess)), largest=False).indices
        return self._inside[nearest]
