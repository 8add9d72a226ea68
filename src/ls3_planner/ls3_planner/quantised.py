"""The heads in 8-bit integers, for a first look at candidates.

A processor with VNNI or AMX instructions multiplies 8-bit integers four times as fast as floats.
Nothing is decided on these numbers alone: `ls3_planner.selection` measures how far they are off
and leaves close calls to float32.
"""

from __future__ import annotations

import logging
import math
from functools import cache
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from ls3_models.learner import Models
from ls3_models.networks import StackedMLP
from ls3_planner.workers import Workers

HEADROOM = 1.15  # of the ranges over what calibration saw
ROWS = 4096  # per matrix product
ROUND = 1024
CALIBRATION_ROWS = 256


@cache
def supported() -> bool:
    """Whether this processor and this torch have fast 8-bit products; says so where not."""
    if not torch.cpu._is_vnni_supported():
        reason = "the processor has no VNNI instructions"
    else:
        try:
            layer = _Layer(torch.zeros(8, 8), torch.zeros(8))
            layer(torch.zeros(4, 8, dtype=torch.uint8), 1.0, 0, 1.0)
            return True
        except (AttributeError, RuntimeError) as error:
            reason = f"torch {torch.__version__} refuses them ({str(error).splitlines()[0]})"
    logging.getLogger(__name__).info("planning in float32 throughout: %s", reason)
    return False


class _Layer:
    """One linear layer; symmetric weights, a scale per output."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """weight: (out, in) float32; bias: (out,)."""
        self._scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-12)
        levels = (weight / self._scale[:, None]).round_().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(levels, [ROWS, weight.shape[1]])
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._bias = bias

    def __call__(self, rows: Tensor, scale: float, zero: int, out_scale: float | None) -> Tensor:
        """ReLU of the layer; rows are uint8 and mean scale * (row - zero).

        uint8 of `out_scale`, or float32 without one.
        """
        return torch.ops.onednn.qlinear_pointwise(
            rows,
            scale,
            zero,
            self._weight,
            self._scale,
            self._zeros,
            self._bias,
            1.0 if out_scale is None else out_scale,
            0,
            torch.float32 if out_scale is None else torch.uint8,
            "relu",
            [],
            "",
        )


class _Head:
    """One member of a head's `StackedMLP`; its last layer, of one output, stays in float32."""

    def __init__(self, mlp: StackedMLP, member: int) -> None:
        self._weights = [weight[member].detach() for weight in mlp.weights]
        self._biases = [bias[member, 0].detach() for bias in mlp.biases]
        hidden = zip(self._weights[1:-1], self._biases[1:-1], strict=True)
        self.layers = [_Layer(weight.T.contiguous(), bias) for weight, bias in hidden]
        self._first: _Layer
        self._scales: list[float | None] = []

    def calibrate(self, latents: Tensor, scale: Tensor) -> None:
        """Take ranges from latents (n, d), of which dimension i is quantised by scale[i]."""
        self._first = _Layer((self._weights[0] * scale[:, None]).T.contiguous(), self._biases[0])
        rows, self._scales = latents, []
        for weight, bias in zip(self._weights[:-2], self._biases, strict=False):
            rows = torch.addmm(bias, rows, weight).relu_()
            self._scales.append(max(float(rows.max()), 1e-6) * HEADROOM / 255)
        self._scales.append(None)

    def __call__(self, levels: Tensor) -> Tensor:
        """uint8 (n, d) around 128 to float32 (n,)."""
        hidden = self._first(levels, 1.0, 128, self._scales[0])
        for layer, (scale, out) in zip(self.layers, pairwise(self._scales), strict=True):
            assert scale is not None
            hidden = layer(hidden, scale, 0, out)
        return torch.addmv(self._biases[-1], hidden, self._weights[-1][:, 0])


class QuantisedHeads:
    """Has to be calibrated before use, and whenever latents move on."""

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models, self._workers = models, workers
        self._members: dict[str, list[_Head]] = {}
        self._version = -1

    def calibrate(self, latents: Tensor) -> None:
        """Fit all ranges to latents (..., d)."""
        version = sum(p._version for p in self._models.heads.parameters())
        if version != self._version:
            heads = dict(self._models.heads.named_children())
            self._members = {name: _pack(cast(StackedMLP, mlp)) for name, mlp in heads.items()}
            self._version = version
        rows = latents.flatten(0, -2)
        rows = rows[:: max(1, len(rows) // CALIBRATION_ROWS)]
        scale = rows.abs().amax(dim=0).clamp(min=1e-6) * HEADROOM / 127
        self._per_unit = 1 / scale
        networks = [network for members in self._members.values() for network in members]
        self._workers.each(lambda network: network.calibrate(rows, scale), networks)

    def read(self, name: str, latents: Tensor) -> Tensor:
        """See `Heads`."""
        members = self._members[name]
        flat = latents.reshape(-1, latents.shape[-1])
        out = torch.empty(len(members), len(flat))

        def read(begin: int) -> None:
            end = min(begin + ROWS, len(flat))
            # every new number of rows costs a compilation: round up, do some rows twice
            begin = max(0, end - math.ceil((end - begin) / ROUND) * ROUND)
            scaled = flat[begin:end].mul(self._per_unit).add_(128.5).clamp_(0, 255.5)
            levels = scaled.to(torch.uint8)
            for member, network in enumerate(members):
                out[member, begin:end] = network(levels)

        self._workers.each(read, range(0, len(flat), ROWS))
        return out.reshape(len(members), *latents.shape[:-1])


def _pack(mlp: StackedMLP) -> list[_Head]:
    return [_Head(mlp, member) for member in range(mlp.members)]
