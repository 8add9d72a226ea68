"""Candidates rolled out through the latent dynamics and judged by eq. (2), (5) and (6)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from ls3_models.learner import Models
from ls3_models.networks import StackedMLP, split_gaussian
from ls3_planner.config import PlannerConfig

BLOCK_ROWS = 2048  # rows per matrix product: its activations then stay in a core's cache


@dataclass(frozen=True)
class Evaluation:
    """What is known of N candidates.

    actions: (N, H, A); imagined: (N, H, d) particle means; safe_probability: (N,), left side of
    (5); membership: (N,), particle mean of f_S(z_{t+H}); inside: bool (N,), (5) holds;
    constraint_probability: (N,), left side of (6), the largest
    over the horizon, 1 where not inside; feasible: bool (N,), (5) and (6) hold; score: (N,),
    objective (2), -inf where infeasible.
    """

    actions: Tensor
    imagined: Tensor
    safe_probability: Tensor
    membership: Tensor
    inside: Tensor
    constraint_probability: Tensor
    feasible: Tensor
    score: Tensor

    def select(self, index: Tensor) -> Evaluation:
        """The candidates of `index`, in that order."""
        return Evaluation(*(getattr(self, field.name)[index] for field in fields(self)))

    def elites(self, count: int) -> Evaluation:
        """The best feasible candidates, best first, at most `count`.

        Where none is feasible: those inside the safe set that violate least; where none is inside:
        those that come closest to it.
        """
        if bool(self.feasible.any()):
            available, key = self.feasible, self.score
        elif bool(self.inside.any()):
            available, key = self.inside, -self.constraint_probability
        else:
            available, key = torch.ones_like(self.inside), self.membership
        key = torch.where(available, key, -torch.inf)
        return self.select(torch.topk(key, min(count, int(available.sum()))).indices)


class LatentSimulator:
    """TS-1 rollouts (Chua et al.) in blocks of candidates.

    Every particle draws its ensemble member anew at each step. Candidates share the draws of a
    particle (member, process noise, start): each candidate still sees P independent particles, and
    differences between candidates are differences of their actions rather than of their luck.

    Heads are evaluated where their answer can matter and nowhere else, which changes no result:
    elites are feasible candidates, so (6) is asked of candidates that meet (5) only, and the
    objective (2) of those that meet both.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._buffers: dict[tuple[int, int], Tensor] = {}

    def evaluate(
        self,
        start: Tensor,
        candidates: Tensor,
        delta_safe: float,
        config: PlannerConfig,
        generator: Generator,
    ) -> Evaluation:
        """Judge `candidates` (N, H, A) from z_t ~ N(start[0], start[1]^2), start: (2, d)."""
        particles, latent_dim = config.cost.particles, start.shape[1]
        horizon = candidates.shape[1]
        shape = (particles, latent_dim)
        first = start[0] + start[1] * torch.randn(shape, generator=generator)
        noise = torch.randn((horizon, *shape), generator=generator)
        members = torch.randint(
            self.models.dynamics.mlp.members, (horizon, particles), generator=generator
        )
        block = max(1, BLOCK_ROWS // particles)
        blocks = [
            self._evaluate_block(first, noise, members, part, delta_safe, config)
            for part in candidates.split(block)
        ]
        return Evaluation(
            *(torch.cat([getattr(b, field.name) for b in blocks]) for field in fields(Evaluation))
        )

    def _evaluate_block(
        self,
        first: Tensor,
        noise: Tensor,
        members: Tensor,
        actions: Tensor,
        delta_safe: float,
        config: PlannerConfig,
    ) -> Evaluation:
        trajectory = self._roll_out(first, noise, members, actions)  # (H, P, n, d)
        safe, membership, inside = self._in_safe_set(trajectory[-1], delta_safe, config)
        violation = torch.ones(len(actions))
        violation[inside] = self._violation(trajectory[:, :, inside], config)
        feasible = inside.clone()
        if config.use_constraint:
            feasible &= violation <= config.delta_constraint
        score = torch.full((len(actions),), -torch.inf)
        score[feasible] = self._objective(trajectory[:, :, feasible])
        feasible &= torch.isfinite(score)
        imagined = trajectory.mean(dim=1).transpose(0, 1)
        return Evaluation(actions, imagined, safe, membership, inside, violation, feasible, score)

    def _in_safe_set(
        self, last: Tensor, delta_safe: float, config: PlannerConfig
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Left side of (5), mean f_S, and whether (5) holds, each (n,), for z_{t+H} (P, n, d)."""
        levels = torch.sigmoid(self._read(self.models.heads.safe, last))[0]
        membership = torch.nan_to_num(levels.mean(dim=0), nan=0.0)
        if config.safe_rule == "mean":
            safe, inside = membership, membership >= delta_safe
        else:
            safe = (levels >= delta_safe).float().mean(dim=0)
            inside = safe >= 1 - delta_safe
        return safe, membership, inside if config.use_safe_set else torch.ones_like(inside)

    def _violation(self, trajectory: Tensor, config: PlannerConfig) -> Tensor:
        """Left side of (6) (n,): P(z in Z_C) = E f_C(z), the largest over z_{t+1..t+H}.

        The present frame is left out, no action can change it; the last one is taken in.
        """
        probability = torch.sigmoid(self._read(self.models.heads.constraint, trajectory))[0]
        if config.constraint_rule == "any":
            per_step = probability.amax(dim=1)
        else:
            per_step = probability.mean(dim=1)
        return torch.nan_to_num(per_step.amax(dim=0), nan=1.0)

    def _objective(self, trajectory: Tensor) -> Tensor:
        """Equation (2) (n,) of trajectories (H, P, n, d); -inf where it is not finite."""
        heads = self.models.heads
        value = self._read(heads.value, trajectory[-1]).mean(dim=(0, 1))
        goals = torch.sigmoid(self._read(heads.goal, trajectory[:-1]))[0].mean(dim=1).sum(dim=0)
        return torch.nan_to_num(value + goals, nan=-torch.inf, posinf=-torch.inf)

    def _roll_out(self, first: Tensor, noise: Tensor, members: Tensor, actions: Tensor) -> Tensor:
        """z_{t+1..t+H}, (H, P, n, d), of candidates (n, H, A)."""
        count, horizon = actions.shape[:2]
        particles, latent_dim = first.shape
        layers = [
            (weight[members], bias[members])  # (H, P, in, out): each particle's own member
            for weight, bias in zip(
                self.models.dynamics.mlp.weights, self.models.dynamics.mlp.biases, strict=True
            )
        ]
        rows = torch.empty(particles, count, latent_dim + actions.shape[2])
        latents = first[:, None].expand(particles, count, latent_dim)
        trajectory = torch.empty(horizon, particles, count, latent_dim)
        for step in range(horizon):
            rows[..., :latent_dim] = latents
            rows[..., latent_dim:] = actions[None, :, step]
            hidden = rows
            for weight, bias in layers[:-1]:
                hidden = torch.baddbmm(bias[step], hidden, weight[step]).relu_()
            mean, log_std = split_gaussian(
                torch.baddbmm(layers[-1][1][step], hidden, layers[-1][0][step])
            )
            change = mean.add_(log_std.exp_().mul_(noise[step][:, None]))
            latents = torch.add(latents, change, out=trajectory[step])
        return trajectory

    def _read(self, mlp: StackedMLP, latents: Tensor) -> Tensor:
        """A head on latents (..., d): (member, ...).

        Row blocks and two reused buffers keep all activations in the cache; allocating them anew
        took longer than the arithmetic.
        """
        flat = latents.reshape(-1, latents.shape[-1])
        out = torch.empty(mlp.members, len(flat))
        layers = list(zip(mlp.weights, mlp.biases, strict=True))
        for begin in range(0, len(flat), BLOCK_ROWS):
            rows = flat[begin : begin + BLOCK_ROWS]
            for member in range(mlp.members):
                hidden = rows
                for depth, (weight, bias) in enumerate(layers[:-1]):
                    buffer = self._buffer(depth % 2, len(rows), weight.shape[2])
                    hidden = torch.addmm(bias[member], hidden, weight[member], out=buffer).relu_()
                weight, bias = layers[-1]
                last = torch.addmv(bias[member, 0], hidden, weight[member, :, 0])
                out[member, begin : begin + BLOCK_ROWS] = last
        return out.reshape(mlp.members, *latents.shape[:-1])

    def _buffer(self, which: int, rows: int, width: int) -> Tensor:
        key = (which, width)
        if key not in self._buffers:
            self._buffers[key] = torch.empty(BLOCK_ROWS, width)
        return self._buffers[key][:rows]
