"""The planning problem of LS3, eq. (2) to (6), as the paper states it. Read this file first.

The cross-entropy method (`cem.py`) proposes candidates, which are sequences of actions, and asks a
selector for the elites among them. The selector below answers in the plainest way: it imagines
every candidate, asks every head about every latent, and sorts. The selector of `selection.py`
finds the same elites several times as fast, and is tested against this one.

Comments name a tensor's dimensions: candidate, particle, horizon, latent, action.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ls3_models.bundle import Bundle
from ls3_models.heads import Head, Role
from ls3_models.models import Models
from ls3_models.networks import split_gaussian
from ls3_models.plain import plain_members
from ls3_planner.cem import CrossEntropyPlanner, Elites
from ls3_planner.config import PlannerConfig
from ls3_planner.judge import Judgement, upper_mean


def reference_planner(
    bundle: Bundle, config: PlannerConfig, seed: int = 0, device: str = "cpu"
) -> CrossEntropyPlanner:
    """The cross-entropy method with the selector of this file."""
    selector = ReferenceSelector(bundle.models.to(device), config)
    return CrossEntropyPlanner(bundle, config, selector, seed, device)


class ReferenceSelector:
    """See `cem.Selector`. Copies the weights: a model that is trained further needs a new one."""

    def __init__(self, models: Models, config: PlannerConfig) -> None:
        self.config, self.heads = config, models.head_list
        self.dynamics = plain_members(models.dynamics.mlp)  # the ensemble, network by network
        self.networks = {h.name: plain_members(models.network(h.name)) for h in self.heads}
        self.constraints = [head for head in self.heads if head.role is Role.STEP_CONSTRAINT]

    def elites(self, candidates: Tensor, delta_safe: float, *, final: bool = True) -> Elites:
        """The best candidates. candidates: (candidate, horizon, action)."""
        trajectory = self.imagine(candidates)  # (candidate, particle, horizon, latent)
        level = self.safe_level(trajectory)  # (candidate, particle)
        inside = self.is_inside(level, delta_safe)  # (candidate)
        excess = self.excess(trajectory)  # (candidate)
        score = self.objective(trajectory)  # (candidate)
        feasible = inside & torch.isfinite(score)  # (candidate)
        if self.config.use_constraint:
            feasible &= excess <= 0
        key = self.rank(score, excess, level, inside, feasible)  # (candidate)
        count = min(self.config.cost.elites, int((key > -torch.inf).sum()))
        index = torch.topk(key, count).indices  # (elite), the best first
        return Elites(
            index,
            candidates[index],
            inside=bool(inside.any()),
            feasible=bool(feasible.any()),
            levels=level[index].T,
            excess=excess[index],
        )

    def rank(
        self, score: Tensor, excess: Tensor, level: Tensor, inside: Tensor, feasible: Tensor
    ) -> Tensor:
        """What to sort by (candidate): eq. (2) of those that meet (5) and (6), -inf of others.

        While none meets both, the search goes for the safe set, and then away from the obstacle.
        """
        if feasible.any():
            return score.where(feasible, -torch.inf)
        if inside.any():
            return (-excess).where(inside, -torch.inf)
        return level.mean(dim=1).nan_to_num(nan=0.0)

    def judge(self, actions: Tensor) -> Judgement:
        """Judge candidates (candidate, horizon, action) by all that the planner may ask of them."""
        trajectory = self.imagine(actions)  # (candidate, particle, horizon, latent)
        probability = torch.zeros(len(actions), device=actions.device)  # (candidate)
        for head in self.constraints:
            probability = probability.maximum(self.worst_step(head, trajectory))
        return Judgement(
            actions=actions,
            imagined=trajectory.mean(dim=1),  # (candidate, horizon, latent)
            levels=self.safe_level(trajectory).T,  # (particle, candidate)
            constraint_probability=probability,
            excess=self.excess(trajectory, self.config.sigmas),
            score=lambda index: self.objective(trajectory[index]),
        )

    # -- eq. (3) and (4): what will happen ------------------------------------------------------

    def draw(self, start: Tensor, horizon: int, particles: int, generator: Generator) -> None:
        """All chance of an iteration. Candidates share it, so that they differ by their actions."""
        latent, device = start.shape[1], start.device  # start: (2, latent)
        noise = torch.randn((particles, latent), generator=generator, device=device)
        self.first = start[0] + start[1] * noise  # z_t of eq. (3): (particle, latent)
        steps = (horizon, particles)
        self.noise = torch.randn((*steps, latent), generator=generator, device=device)
        # TS-1 (Chua et al.): each particle draws a network of the ensemble anew at every step
        count = len(self.dynamics)
        self.members = torch.randint(count, steps, generator=generator, device=device)

    def imagine(self, candidates: Tensor) -> Tensor:
        """z_{t+1..t+H} of eq. (4): (candidate, particle, horizon, latent)."""
        latents = self.first.expand(len(candidates), -1, -1)  # (candidate, particle, latent)
        steps = []
        for k, members in enumerate(self.members.tolist()):
            action = candidates[:, k, None].expand(-1, len(members), -1)
            rows = torch.cat((latents, action), dim=-1)  # (candidate, particle, latent + action)
            outputs = [self.dynamics[member](rows[:, p]) for p, member in enumerate(members)]
            change, log_std = split_gaussian(torch.stack(outputs, dim=1))
            latents = latents + change + log_std.exp() * self.noise[k]
            steps.append(latents)  # (candidate, particle, latent)
        return torch.stack(steps, dim=2)

    def says(self, head: Head, latents: Tensor) -> Tensor:
        """The head's number for each latent (..., latent), the mean over its members: (...)."""
        outputs = [network(latents).squeeze(-1) for network in self.networks[head.name]]
        return head.activation(torch.stack(outputs)).mean(dim=0)

    # -- eq. (2), (5) and (6) of trajectories (candidate, particle, horizon, latent) -------------

    def objective(self, trajectory: Tensor) -> Tensor:
        """(2): E[sum over i = 1..H-1 of f_G(z_{t+i}), + V(z_{t+H})] (candidate)."""
        score = torch.zeros(trajectory.shape[:2], device=trajectory.device)
        for head in self.heads:
            if head.role is Role.TERMINAL_VALUE:
                score += self.says(head, trajectory[:, :, -1])  # (candidate, particle)
            if head.role is Role.STEP_REWARD:
                for latents in trajectory[:, :, :-1].unbind(dim=2):
                    score += self.says(head, latents)  # (candidate, particle)
        return score.mean(dim=1).nan_to_num(nan=-torch.inf, posinf=-torch.inf)

    def safe_level(self, trajectory: Tensor) -> Tensor:
        """f_S(z_{t+H}) (candidate, particle)."""
        level = torch.ones(trajectory.shape[:2], device=trajectory.device)
        for head in self.heads:
            if head.role is Role.TERMINAL_CONSTRAINT:
                level = level.minimum(self.says(head, trajectory[:, :, -1]))
        return level

    def membership(self, level: Tensor, delta_safe: float) -> Tensor:
        """The left side of (5): P(f_S(z_{t+H}) >= delta_S) (candidate)."""
        if self.config.safe_rule == "mean":  # of the released code
            return level.mean(dim=1).nan_to_num(nan=0.0)
        return (level >= delta_safe).float().mean(dim=1)

    def is_inside(self, level: Tensor, delta_safe: float) -> Tensor:
        """Whether (5) is met (candidate)."""
        if not self.config.use_safe_set:
            return torch.ones(len(level), dtype=torch.bool, device=level.device)
        return self.membership(level, delta_safe) >= self.config.least_membership(delta_safe)

    def violation(self, head: Head, trajectory: Tensor, sigmas: float = 0.0) -> Tensor:
        """The left side of (6): P(z_{t+i} in Z_C) (candidate), the largest over i = 1..H.

        No action changes z_t, so i = 0 is left out; z_{t+H} is taken in. With `sigmas`, the upper
        confidence bound of each step's probability. What is not a number counts as 1.
        """
        return self.worst_step(head, trajectory, sigmas).nan_to_num(nan=1.0)

    def worst_step(self, head: Head, trajectory: Tensor, sigmas: float = 0.0) -> Tensor:
        """See `violation`; NaN stays NaN."""
        steps = [self.says(head, latents) for latents in trajectory.unbind(dim=2)]
        probability = torch.stack(steps, dim=2)  # (candidate, particle, horizon)
        if self.config.constraint_rule == "any":  # of the released code
            per_step = probability.amax(dim=1)  # (candidate, horizon)
        else:
            per_step = upper_mean(probability, 1, sigmas)  # (candidate, horizon)
        return per_step.amax(dim=1)

    def excess(self, trajectory: Tensor, sigmas: float = 0.0) -> Tensor:
        """The left side of (6) minus its bound (candidate), of the constraint where this is most.

        A candidate meets (6) where the excess is not positive.
        """
        worst = torch.full(trajectory.shape[:1], -torch.inf, device=trajectory.device)
        for head in self.constraints:  # in the paper f_C alone
            bound = head.bound(self.config.delta_constraint)
            worst = worst.maximum(self.violation(head, trajectory, sigmas) - bound)
        return worst
