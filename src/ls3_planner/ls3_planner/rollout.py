"""Rollouts through the latent dynamics, and what eq. (2), (5) and (6) ask of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from ls3_models.learner import Models
from ls3_models.networks import split_gaussian
from ls3_planner.config import PlannerConfig
from ls3_planner.workers import Workers

BLOCK_ROWS = 512  # rows per matrix product: its activations then stay in a core's cache


@dataclass(frozen=True)
class Draws:
    """All chance in the rollouts of one iteration.

    Every particle draws its ensemble member anew at each step (TS-1, Chua et al.). Candidates
    share the draws of a particle: each still sees P independent particles, and differences between
    candidates are differences of their actions rather than of their luck.

    first: (P, d), z_t; noise: (H, P, d), standard normal; members: (H, P).
    """

    first: Tensor
    noise: Tensor
    members: Tensor

    @classmethod
    def sample(
        cls, start: Tensor, horizon: int, particles: int, members: int, generator: Generator
    ) -> Draws:
        """From z_t ~ N(start[0], start[1]^2), start: (2, d)."""
        shape, device = (particles, start.shape[1]), start.device
        first = start[0] + start[1] * torch.randn(shape, generator=generator, device=device)
        noise = torch.randn((horizon, *shape), generator=generator, device=device)
        chosen = torch.randint(members, (horizon, particles), generator=generator, device=device)
        return cls(first, noise, chosen)


class Networks(Protocol):
    """Dynamics and heads in some arithmetic."""

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """z_{t+1..t+H}, (H, P, n, d), of candidates (n, H, A)."""
        ...

    def read(self, name: str, latents: Tensor) -> Tensor:
        """A head on latents (..., d): (member, ...)."""
        ...


class FloatNetworks:
    """In float32. Row blocks and reused buffers keep activations in the cache.

    Allocating the activations anew took longer than the arithmetic.
    """

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models, self._workers = models, workers
        self._buffers = threading.local()

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """See `Networks`."""
        particles, latent_dim = draws.first.shape
        mlp = self._models.dynamics.mlp
        layers = [
            (weight[draws.members], bias[draws.members])  # (H, P, in, out): each particle's own
            for weight, bias in zip(mlp.weights, mlp.biases, strict=True)
        ]
        count, horizon = actions.shape[:2]
        trajectory = actions.new_empty(horizon, particles, count, latent_dim)
        block = max(1, BLOCK_ROWS // particles)

        def follow(begin: int) -> None:
            part = slice(begin, begin + block)
            self._roll_out(draws, layers, actions[part], trajectory[:, :, part])

        self._workers.each(follow, range(0, count, block))
        return trajectory

    @staticmethod
    def _roll_out(
        draws: Draws,
        layers: list[tuple[Tensor, Tensor]],
        actions: Tensor,
        trajectory: Tensor,
    ) -> None:
        """Fill trajectory (H, P, n, d)."""
        horizon, particles, count, latent_dim = trajectory.shape
        rows = actions.new_empty(particles, count, latent_dim + actions.shape[2])
        latents = draws.first[:, None].expand(particles, count, latent_dim)
        for step in range(horizon):
            rows[..., :latent_dim] = latents
            rows[..., latent_dim:] = actions[None, :, step]
            hidden = rows
            for weight, bias in layers[:-1]:
                hidden = torch.baddbmm(bias[step], hidden, weight[step]).relu_()
            mean, log_std = split_gaussian(
                torch.baddbmm(layers[-1][1][step], hidden, layers[-1][0][step])
            )
            latents = trajectory[step]
            torch.add(
                rows[..., :latent_dim],
                mean.add_(log_std.exp_().mul_(draws.noise[step][:, None])),
                out=latents,
            )

    def read(self, name: str, latents: Tensor) -> Tensor:
        """See `Networks`."""
        mlp = getattr(self._models.heads, name)
        flat = latents.reshape(-1, latents.shape[-1])
        out = flat.new_empty(mlp.members, len(flat))
        layers = list(zip(mlp.weights, mlp.biases, strict=True))

        def read(begin: int) -> None:
            rows = flat[begin : begin + BLOCK_ROWS]
            for member in range(mlp.members):
                hidden = rows
                for depth, (weight, bias) in enumerate(layers[:-1]):
                    buffer = self._buffer(depth % 2, rows, weight.shape[2])
                    hidden = torch.addmm(bias[member], hidden, weight[member], out=buffer).relu_()
                weight, bias = layers[-1]
                last = torch.addmv(bias[member, 0], hidden, weight[member, :, 0])
                out[member, begin : begin + BLOCK_ROWS] = last

        self._workers.each(read, range(0, len(flat), BLOCK_ROWS))
        return out.reshape(mlp.members, *latents.shape[:-1])

    def _buffer(self, which: int, rows: Tensor, width: int) -> Tensor:
        name = f"{which} {width}"
        if not hasattr(self._buffers, name):
            setattr(self._buffers, name, rows.new_empty(BLOCK_ROWS, width))
        return getattr(self._buffers, name)[: len(rows)]


def membership(
    networks: Networks, trajectory: Tensor, delta_safe: float, config: PlannerConfig
) -> tuple[Tensor, Tensor]:
    """Left side of (5) and particle mean of f_S(z_{t+H}), each (n,)."""
    levels = torch.sigmoid(networks.read("safe", trajectory[-1]))[0]
    mean = torch.nan_to_num(levels.mean(dim=0), nan=0.0)
    if config.safe_rule == "mean":
        return mean, mean
    return (levels >= delta_safe).float().mean(dim=0), mean


def violation(networks: Networks, trajectory: Tensor, config: PlannerConfig) -> Tensor:
    """Left side of (6) (n,): P(z in Z_C) = E f_C(z), the largest over z_{t+1..t+H}.

    The present frame is left out, no action can change it; the last one is taken in.
    """
    probability = torch.sigmoid(networks.read("constraint", trajectory))[0]
    if config.constraint_rule == "any":
        per_step = probability.amax(dim=1)
    else:
        per_step = probability.mean(dim=1)
    return torch.nan_to_num(per_step.amax(dim=0), nan=1.0)


def objective(
    networks: Networks, trajectory: Tensor, index: Tensor | None = None, goal_every: int = 1
) -> Tensor:
    """Equation (2) (n,) of trajectories (H, P, n, d), or of some; -inf where it is not finite.

    goal_every: look for the goal with one in so many particles.
    """
    last, before = trajectory[-1], trajectory[:-1, ::goal_every]
    if index is not None and len(index) < trajectory.shape[2]:
        last, before = last.index_select(1, index), before.index_select(2, index)
    value = networks.read("value", last).mean(dim=(0, 1))
    chances = torch.sigmoid(networks.read("goal", before))[0]
    score = value + chances.mean(dim=1).sum(dim=0)
    return torch.nan_to_num(score, nan=-torch.inf, posinf=-torch.inf)
