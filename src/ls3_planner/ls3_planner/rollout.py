"""Rollouts through the latent dynamics, and what eq. (2), (5) and (6) ask of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from ls3_models.heads import Head, Role
from ls3_models.models import Models
from ls3_models.networks import LOG_STD_MAX, LOG_STD_MIN
from ls3_planner.config import PlannerConfig
from ls3_planner.judge import upper_mean
from ls3_planner.workers import Workers

BLOCK_ROWS = 512  # rows per matrix product: its activations then stay in a core's cache
GPU_BLOCK_ROWS = 1 << 17


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

    @property
    def head_list(self) -> Sequence[Head]: ...

    def read(self, name: str, latents: Tensor, member: int | None = None) -> Tensor:
        """The outputs of the networks of a head for latents (..., d): (member, ...).

        member: the only network to ask; None: all of them.
        """
        ...

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """z_{t+1..t+H}, (H, P, n, d), of candidates (n, H, A)."""
        ...


class FloatNetworks:
    """Both in torch's float32, in row blocks whose activations stay in a core's cache."""

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models, self._workers = models, workers
        self.head_list = models.head_list
        self._buffers = threading.local()
        self._on_cpu = next(models.parameters()).device.type == "cpu"
        self._block_rows = BLOCK_ROWS if self._on_cpu else GPU_BLOCK_ROWS

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """z_{t+1..t+H}, (H, P, n, d), of candidates (n, H, A)."""
        (count, horizon, _), (particles, latent_dim) = actions.shape, draws.first.shape
        mlp = self._models.dynamics.mlp
        trajectory = actions.new_empty(horizon, particles, count, latent_dim)
        last, spread = _last_step(draws, mlp.biases[-1][draws.members])
        weights, biases = list(mlp.weights), list(mlp.biases[:-1])

        def follow(particle: int) -> None:
            part = slice(particle, particle + 1)
            layers = [
                ([w[m : m + 1] for w in weights], [*(b[m : m + 1] for b in biases), bias[part]])
                for m, bias in zip(members[particle], last, strict=True)
            ]
            _follow(draws.first[part], spread[:, part], layers, actions, trajectory[:, part])

        if self._on_cpu:
            members = draws.members.T.tolist()
            self._workers.each(follow, range(particles))
        else:
            layers = [
                ([w[m] for w in weights], [*(b[m] for b in biases), bias])
                for m, bias in zip(draws.members, last, strict=True)
            ]
            _follow(draws.first, spread, layers, actions, trajectory)
        return trajectory

    def read(self, name: str, latents: Tensor, member: int | None = None) -> Tensor:
        """See `Networks`. Reused buffers: allocating anew took longer than the arithmetic."""
        mlp = self._models.network(name)
        flat = latents.reshape(-1, latents.shape[-1])
        asked = range(mlp.members) if member is None else range(member, member + 1)
        out = flat.new_empty(len(asked), len(flat))
        layers = list(zip(mlp.weights, mlp.biases, strict=True))

        def read(begin: int) -> None:
            rows = flat[begin : begin + self._block_rows]
            for place, which in enumerate(asked):
                hidden = rows
                for depth, (weight, bias) in enumerate(layers[:-1]):
                    buffer = self._buffer(depth % 2, rows, weight.shape[2])
                    hidden = torch.addmm(bias[which], hidden, weight[which], out=buffer).relu_()
                weight, bias = layers[-1]
                last = torch.addmv(bias[which, 0], hidden, weight[which, :, 0])
                out[place, begin : begin + self._block_rows] = last

        self._workers.each(read, range(0, len(flat), self._block_rows))
        return out.reshape(len(asked), *latents.shape[:-1])

    def _buffer(self, which: int, rows: Tensor, width: int) -> Tensor:
        name = f"{which} {width}"
        if not hasattr(self._buffers, name):
            setattr(self._buffers, name, rows.new_empty(self._block_rows, width))
        return getattr(self._buffers, name)[: len(rows)]


def _last_step(draws: Draws, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The last bias of each step (H, P, 1, 2 d), and what its sigmoids add (H, P, 1, d).

    The bounds of `split_gaussian` give the standard deviation the closed form
    e^min + e^max sigmoid(raw - max), of which only the sigmoid depends on the candidate.
    """
    mean, raw = bias.chunk(2, dim=-1)
    noise = draws.noise[:, :, None]
    constant = mean + noise * math.exp(LOG_STD_MIN)
    return torch.cat((constant, raw - LOG_STD_MAX), dim=-1), noise * math.exp(LOG_STD_MAX)


def _follow(
    first: Tensor,
    spread: Tensor,
    layers: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]],
    actions: Tensor,
    trajectory: Tensor,
) -> None:
    """Fill trajectory (H, p, n, d) with rollouts of p particles, each (p, ...) step by step."""
    _, particles, count, latent_dim = trajectory.shape
    rows = actions.new_empty(particles, count, latent_dim + actions.shape[2])
    latents = first[:, None].expand(particles, count, latent_dim)
    for step, (weights, biases) in enumerate(layers):
        rows[..., :latent_dim] = latents
        rows[..., latent_dim:] = actions[:, step]
        hidden = rows
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            hidden = torch.baddbmm(bias, hidden, weight).relu_()
        mean, raw = torch.baddbmm(biases[-1], hidden, weights[-1]).chunk(2, dim=-1)
        latents = torch.add(latents, mean, out=trajectory[step])
        latents.addcmul_(raw.sigmoid_(), spread[step])


def heads_in(networks: Networks, role: Role) -> list[Head]:
    """The heads that have this role."""
    return [head for head in networks.head_list if head.role is role]


def says(networks: Networks, head: Head, latents: Tensor) -> Tensor:
    """The head's number for each of the latents (..., d), the mean over its members: (...)."""
    outputs = head.activation(networks.read(head.name, latents))
    return outputs[0] if len(outputs) == 1 else outputs.mean(dim=0)


def safe_levels(networks: Networks, trajectory: Tensor) -> Tensor:
    """f_S(z_{t+H}) (P, n) of trajectories (H, P, n, d); -inf where it is not a number."""
    levels = trajectory.new_ones(trajectory.shape[1:3])
    for head in heads_in(networks, Role.TERMINAL_CONSTRAINT):
        levels = torch.minimum(levels, says(networks, head, trajectory[-1]))
    return torch.nan_to_num(levels, nan=-torch.inf)


def membership(levels: Tensor, delta_safe: float, config: PlannerConfig) -> Tensor:
    """Left side of (5) (n,) of `safe_levels`."""
    if config.safe_rule == "mean":
        return levels.mean(dim=0)
    return (levels >= delta_safe).float().mean(dim=0)


def margin(levels: Tensor, excess: Tensor, delta_safe: float, config: PlannerConfig) -> Tensor:
    """By how much candidates (n,) meet (5) and (6), of the two that which they meet by less.

    levels: see `safe_levels`; excess: see `excess`. Negative where one is not met.
    """
    slack = -excess.float() if config.use_constraint else torch.full_like(levels[0], torch.inf)
    if not config.use_safe_set:
        return slack
    return slack.minimum(
        membership(levels, delta_safe, config) - config.least_membership(delta_safe)
    )


def inside(levels: Tensor, delta_safe: float, config: PlannerConfig) -> Tensor:
    """Which candidates meet (5), bool (n,), of `safe_levels`."""
    return membership(levels, delta_safe, config) >= config.least_membership(delta_safe)


def violation(probability: Tensor, config: PlannerConfig, sigmas: float = 0.0) -> Tensor:
    """Left side of (6) (n,): P(z in Z_C) = E f_C(z), the largest over z_{t+1..t+H}.

    probability: f_C (H, P, n).

    The present frame is left out, no action can change it; the last one is taken in. With `sigmas`
    each step's upper confidence bound, so many standard errors above the mean. What is not a number
    counts as 1.
    """
    return torch.nan_to_num(worst_step(probability, config, sigmas), nan=1.0)


def worst_step(probability: Tensor, config: PlannerConfig, sigmas: float = 0.0) -> Tensor:
    """See `violation`; NaN stays NaN."""
    if config.constraint_rule == "any":
        return probability.amax(dim=1).amax(dim=0)
    return upper_mean(probability, 1, sigmas).amax(dim=0)


def excess(networks: Networks, trajectory: Tensor, config: PlannerConfig) -> Tensor:
    """The left side of (6) minus its bound (n,), of the constraint where this is most; float64.

    A candidate meets (6) where the excess is not positive.
    """
    count, device = trajectory.shape[2], trajectory.device
    worst = torch.full((count,), -torch.inf, dtype=torch.float64, device=device)
    for head in heads_in(networks, Role.STEP_CONSTRAINT):
        found = violation(says(networks, head, trajectory), config)
        bound = found.new_tensor(head.bound(config.delta_constraint))
        worst = torch.maximum(worst, found.double() - bound.double())
    return worst


def particle_scores(networks: Networks, trajectory: Tensor) -> Tensor:
    """What eq. (2) averages over particles: (P, n) of trajectories (H, P, n, d)."""
    scores = trajectory.new_zeros(trajectory.shape[1:3])
    for head in heads_in(networks, Role.TERMINAL_VALUE):
        scores = scores + says(networks, head, trajectory[-1])
    if len(trajectory) > 1:
        for head in heads_in(networks, Role.STEP_REWARD):
            scores = scores + says(networks, head, trajectory[:-1]).sum(dim=0)
    return scores


def objective(networks: Networks, trajectory: Tensor) -> Tensor:
    """Equation (2) (n,) of trajectories (H, P, n, d); -inf where it is not finite."""
    score = particle_scores(networks, trajectory).mean(dim=0)
    return torch.nan_to_num(score, nan=-torch.inf, posinf=-torch.inf)
