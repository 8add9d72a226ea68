"""The networks of planning in 8-bit integers, for a first look at candidates.

A processor with VNNI or AMX instructions multiplies 8-bit integers four times as fast as floats.
Nothing is decided on these numbers alone: `ls3_planner.screen` measures how far they are off and
leaves close calls to float32.
"""

from __future__ import annotations

import logging
import math
from functools import cache
from typing import cast

import torch
from torch import Tensor

from ls3_models.learner import Models
from ls3_models.networks import LOG_STD_MAX, LOG_STD_MIN, StackedMLP
from ls3_planner.rollout import Draws
from ls3_planner.workers import Workers

HEADROOM = 1.15  # of the ranges over what calibration saw
ROWS = 4096  # per matrix product
ROUND = 256
CALIBRATION_ROWS = 256


@cache
def supported() -> bool:
    """Whether this processor and this torch have fast 8-bit products; says so where not."""
    if not torch.cpu._is_vnni_supported():
        reason = "the processor has no VNNI instructions"
    else:
        try:
            layer = _Layer(torch.zeros(8, 8), torch.zeros(8), relu=True)
            layer(torch.zeros(4, 8, dtype=torch.uint8), 1.0, 0, 1.0)
            return True
        except (AttributeError, RuntimeError) as error:
            reason = f"torch {torch.__version__} refuses them ({str(error).splitlines()[0]})"
    logging.getLogger(__name__).info("planning in float32 throughout: %s", reason)
    return False


class _Layer:
    """One linear layer; symmetric weights, a scale per output."""

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool) -> None:
        """weight: (out, in) float32; bias: (out,)."""
        self.scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-12)
        levels = (weight / self.scale[:, None]).round_().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(levels, [ROWS, weight.shape[1]])
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._after = "relu" if relu else "none"
        self.bias = bias
        self._own_scale = self.scale

    def stretch(self, factors: Tensor) -> None:
        """Multiply outputs by factors (out,), before the bias."""
        self.scale = self._own_scale * factors

    def __call__(
        self,
        rows: Tensor,
        scale: float,
        zero: int,
        out_scale: float | None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """uint8 rows, value = scale * (row - zero), to uint8 of `out_scale`, or to float32."""
        return torch.ops.onednn.qlinear_pointwise(
            rows,
            scale,
            zero,
            self._weight,
            self.scale,
            self._zeros,
            self.bias if bias is None else bias,
            1.0 if out_scale is None else out_scale,
            0,
            torch.float32 if out_scale is None else torch.uint8,
            self._after,
            [],
            "",
        )


class _Network:
    """One member of a `StackedMLP`, from levels of latent and action; a head ignores the action."""

    def __init__(self, mlp: StackedMLP, member: int) -> None:
        self._weights = [w[member].detach() for w in mlp.weights]
        self._biases = [b[member, 0].detach() for b in mlp.biases]
        self.scalar = mlp.sizes[-1] == 1  # then the last layer is taken in float32
        last = len(self._weights) - 1
        self.layers = [
            _Layer(self._weights[i].T.contiguous(), self._biases[i], relu=i < last)
            for i in range(1, last if self.scalar else last + 1)
        ]
        self._first: _Layer
        self._scales: list[float | None] = []

    def calibrate(self, rows: Tensor, scale: Tensor, out: Tensor | None = None) -> None:
        """Take ranges from float32 rows (n, d + A), of which column i is quantised by scale[i].

        out: (out,), factors for the output, of which the bias is left as it is.
        """
        used = len(self._weights[0])
        weight = torch.zeros(len(self._biases[0]), len(scale))
        weight[:, :used] = self._weights[0].T * scale[:used]
        self._first = _Layer(weight, self._biases[0], relu=True)
        self._scales, rows = [], rows[:, :used]
        for weight, bias in zip(self._weights[: len(self.layers)], self._biases, strict=False):
            rows = torch.addmm(bias, rows, weight).relu_()
            self._scales.append(max(float(rows.max()), 1e-6) * HEADROOM / 255)
        self._scales.append(None)
        if out is not None:
            self.layers[-1].stretch(out)

    def __call__(self, rows: Tensor, bias: Tensor | None = None) -> Tensor:
        """Levels (n, d + A) around 128 to float32 (n,) or (n, out).

        bias: (out,), takes the place of the last layer's; not for an output of size 1.
        """
        hidden = self._first(rows, 1.0, 128, self._scales[0])
        for layer, scale, out in zip(self.layers, self._scales, self._scales[1:], strict=False):
            assert scale is not None
            hidden = layer(hidden, scale, 0, out, bias if out is None else None)
        if self.scalar:
            return torch.addmv(self._biases[-1], hidden, self._weights[-1][:, 0])
        return hidden


class QuantisedNetworks:
    """Dynamics and heads; has to be calibrated before use, and whenever latents move on.

    Latents are kept in levels (.., d + A) of 8 bits around 128, with the action taken in them.
    """

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models, self._workers = models, workers
        self._dynamics: list[_Network] = []
        self._heads: dict[str, list[_Network]] = {}
        self._version = -1

    def calibrate(self, before: Tensor, actions: Tensor, after: Tensor) -> None:
        """Fit all ranges to a step of float32 rollouts: z, a and z', each (..., d or A)."""
        version = sum(p._version for p in self._models.parameters())
        if version != self._version:
            self._dynamics = _pack(self._models.dynamics.mlp)
            named = dict(self._models.heads.named_children())
            self._heads = {name: _pack(cast(StackedMLP, mlp)) for name, mlp in named.items()}
            self._version = version
        before, actions, after = (_thin(x.flatten(0, -2)) for x in (before, actions, after))
        extent = torch.maximum(before.abs().amax(dim=0), after.abs().amax(dim=0))
        scale = extent.clamp(min=1e-6) * HEADROOM / 127
        self._per_unit = 1 / scale
        both = torch.cat((scale, torch.full((actions.shape[1],), 1 / 127)))
        rows = torch.cat((before, actions), dim=1)
        to_levels = torch.cat((self._per_unit, torch.ones_like(scale)))
        heads = [network for networks in self._heads.values() for network in networks]
        self._workers.each(lambda network: network.calibrate(after, both), heads)
        self._workers.each(lambda network: network.calibrate(rows, both, to_levels), self._dynamics)
        self._last_bias = torch.stack([network.layers[-1].bias for network in self._dynamics])

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """See `Networks`; a particle at a time, with all candidates as rows."""
        (count, horizon, action_dim), (particles, latent_dim) = actions.shape, draws.first.shape
        shape = (horizon + 1, particles, count, latent_dim + action_dim)
        trajectory = torch.empty(shape, dtype=torch.uint8)
        levels = actions.mul(127).add_(128.5).to(torch.uint8).transpose(0, 1)
        trajectory[:horizon, ..., latent_dim:] = levels[:, None]
        trajectory[horizon, ..., latent_dim:] = 0  # none is taken, none is looked at
        first = draws.first * self._per_unit + 128.5
        biases, spread = self._steps(draws)
        members = draws.members.tolist()

        def follow(particle: int) -> None:
            states = first[particle].repeat(count, 1)
            clamped = torch.empty_like(states)
            for step in range(horizon):
                rows = trajectory[step, particle]
                rows[:, :latent_dim] = torch.clamp(states, 0, 255, out=clamped)
                network = self._dynamics[members[step][particle]]
                output = network(rows, biases[step, particle])
                states.add_(output[:, :latent_dim])
                states.addcmul_(output[:, latent_dim:].sigmoid_(), spread[step, particle])
            rows = trajectory[horizon, particle]
            rows[:, :latent_dim] = torch.clamp(states, 0, 255, out=clamped)

        self._workers.each(follow, range(particles))
        return trajectory[1:]

    def _steps(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """Each step's last bias (H, P, 2 d), and what the sigmoids of its raw output add (H, P, d).

        The bounds of `split_gaussian` give the standard deviation the closed form
        e^min + e^max sigmoid(raw - max): only the sigmoid depends on the candidate. The last
        layer's scales give the mean in levels.
        """
        noise = draws.noise * self._per_unit
        bias = self._last_bias[draws.members]
        mean, raw = bias.chunk(2, dim=-1)
        constant = mean * self._per_unit + noise * math.exp(LOG_STD_MIN)
        return torch.cat((constant, raw - LOG_STD_MAX), dim=-1), noise * math.exp(LOG_STD_MAX)

    def read(self, name: str, latents: Tensor) -> Tensor:
        """See `Networks`; latents in levels."""
        networks = self._heads[name]
        flat = latents.reshape(-1, latents.shape[-1])
        out = torch.empty(len(networks), len(flat))

        def read(begin: int) -> None:
            end = min(begin + ROWS, len(flat))
            # every new number of rows costs a compilation: round up, do some rows twice
            begin = max(0, end - math.ceil((end - begin) / ROUND) * ROUND)
            for member, network in enumerate(networks):
                out[member, begin:end] = network(flat[begin:end])

        self._workers.each(read, range(0, len(flat), ROWS))
        return out.reshape(len(networks), *latents.shape[:-1])


def _pack(mlp: StackedMLP) -> list[_Network]:
    return [_Network(mlp, member) for member in range(mlp.members)]


def _thin(rows: Tensor) -> Tensor:
    """About CALIBRATION_ROWS of them, evenly spread."""
    return rows[:: max(1, len(rows) // CALIBRATION_ROWS)]
