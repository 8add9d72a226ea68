"""The shortest faithful loop of eq. (2) to (6): oracle and yardstick of the fast planner.

Every head is asked of every latent, one network at a time, in float32 on whole tensors. It shares
no arithmetic with the fast planner, only weights, random numbers and the order of the search.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_models.bundle import Bundle
from ls3_models.networks import split_gaussian
from ls3_models.plain import plain_members
from ls3_planner.config import PlannerConfig


@dataclass
class Search:
    """What one plan came to: the elites of every iteration and the (H, A) answer in [-1, 1]."""

    elites: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)
    actions: Tensor | None = None
    relaxations: int = 0


class ReferencePlanner:
    """Called like `ls3_planner.cem.Planner`, draws the same numbers in the same order."""

    def __init__(
        self, bundle: Bundle, config: PlannerConfig, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.config, self.device = config, torch.device(device)
        self.generator = Generator(device).manual_seed(seed)
        models = bundle.models.to(device)
        self.dynamics = plain_members(models.dynamics.mlp)
        self.value = plain_members(models.heads.value)
        (self.safe,) = plain_members(models.heads.safe)
        (self.constraint,) = plain_members(models.heads.constraint)
        (self.goal,) = plain_members(models.heads.goal)
        self.action_dim = len(bundle.action_low)
        self.previous: tuple[Tensor, Tensor] | None = None

    def reset(self, seed: int) -> None:
        """Forget the last solution and draw from `seed` on."""
        self.previous = None
        self.generator.manual_seed(seed)

    @torch.no_grad()
    def plan(self, mean: np.ndarray, std: np.ndarray) -> Search:
        """Algorithm of section 4.4 from z_t ~ N(mean, std^2), each (d,)."""
        start = torch.tensor(np.asarray([mean, std], np.float32), device=self.device)
        search, last = Search(), self.config.max_relaxations
        while True:
            delta_safe = self.config.delta_safe * self.config.relaxation**search.relaxations
            any_inside, best = self._optimise(start, delta_safe, search)
            if any_inside:
                break
            relaxations = search.relaxations + 1
            while relaxations <= last:
                delta_safe = self.config.delta_safe * self.config.relaxation**relaxations
                if bool(self._is_inside(self.levels[search.elites[-1]], delta_safe).any()):
                    break
                relaxations += 1
            if relaxations > last:
                search.relaxations = last
                break
            search = Search(relaxations=relaxations)
        if best is None:
            self.previous = None
        else:
            assert self.previous is not None
            mean_, std_ = (torch.cat((x[1:], x[-1:])) for x in self.previous)
            self.previous, search.actions = (mean_, std_), best
        return search

    def _optimise(
        self, start: Tensor, delta_safe: float, search: Search
    ) -> tuple[bool, Tensor | None]:
        config, cost = self.config, self.config.cost
        shape = (cost.candidates, config.horizon, self.action_dim)
        candidates = 2 * torch.rand(shape, generator=self.generator, device=self.device) - 1
        if self.previous is not None:
            kept = shape[0] - round(config.random_share * shape[0])
            mean, std = self.previous
            noise = self._randn(kept, *shape[1:])
            candidates[:kept] = (mean + std * noise).clamp(-1, 1)
        for iteration in range(cost.iterations):
            if iteration:
                candidates = (mean + std * self._randn(*shape)).clamp(-1, 1)
            key, inside, feasible = self.judge(start, candidates, delta_safe)
            count = min(cost.elites, int((key > -torch.inf).sum()))
            elites = torch.topk(key, count).indices
            search.elites.append(elites)
            search.scores.append(key)
            chosen = candidates[elites]
            mean = chosen.mean(dim=0)
            std = chosen.std(dim=0, correction=0).clamp(min=config.std_floor)
        self.previous = mean, std
        found = bool(feasible[elites[0]])
        return bool(inside[elites[0]]), chosen[0] if found else None

    def judge(
        self, start: Tensor, candidates: Tensor, delta_safe: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What candidates are ranked by (-inf: not in question), who meets (5), who (5) and (6)."""
        config, particles = self.config, self.config.cost.particles
        count, horizon, _ = candidates.shape
        first = start[0] + start[1] * self._randn(particles, start.shape[1])
        noise = self._randn(horizon, particles, start.shape[1])
        members = torch.randint(
            len(self.dynamics), (horizon, particles), generator=self.generator, device=self.device
        )
        latents = first.expand(count, *first.shape)
        violations, goals = [], torch.zeros(count, device=self.device)
        for t in range(horizon):
            rows = torch.cat((latents, candidates[:, t, None].expand(-1, particles, -1)), dim=-1)
            output = torch.stack(
                [self.dynamics[int(m)](rows[:, p]) for p, m in enumerate(members[t])], dim=1
            )
            change, log_std = split_gaussian(output)
            latents = latents + change + log_std.exp() * noise[t]
            violations.append(torch.sigmoid(self.constraint(latents)).squeeze(-1))
            if t < horizon - 1:
                goals += torch.sigmoid(self.goal(latents)).squeeze(-1).mean(dim=1)
        level = torch.sigmoid(self.safe(latents)).squeeze(-1)
        value = torch.stack([v(latents).squeeze(-1) for v in self.value]).mean(dim=(0, 2))
        membership = level.mean(dim=1).nan_to_num(nan=0.0)
        self.levels, inside = level, self._is_inside(level, delta_safe)
        if not config.use_safe_set:
            inside = torch.ones_like(inside)
        per_step = torch.stack(violations)
        violation = per_step.amax(dim=2) if config.constraint_rule == "any" else per_step.mean(2)
        violation = violation.amax(dim=0).nan_to_num(nan=1.0)
        score = (value + goals).nan_to_num(nan=-torch.inf, posinf=-torch.inf)
        feasible = inside & torch.isfinite(score)
        if config.use_constraint:
            feasible &= violation <= config.delta_constraint
        if feasible.any():
            return score.where(feasible, -torch.inf), inside, feasible
        if inside.any():
            return (-violation).where(inside, -torch.inf), inside, feasible
        return membership, inside, feasible

    def _is_inside(self, level: Tensor, delta_safe: float) -> Tensor:
        """Who meets (5), by f_S of (candidate, particle)."""
        if self.config.safe_rule == "mean":
            return level.mean(dim=1).nan_to_num(nan=0.0) >= delta_safe
        return (level >= delta_safe).float().mean(dim=1) >= 1 - delta_safe

    def _randn(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)
