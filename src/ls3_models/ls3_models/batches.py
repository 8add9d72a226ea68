"""Batches that `replay.Replay` draws: latents and what the episodes say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FrameBatch:
    """A batch of frames: z (..., d), and the labels (...) that each head has for them, by name."""

    latents: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True)
class Transitions:
    """A batch of transitions: z, z' (..., d), actions in [-1, 1] (..., A), and of each (...).

    arrives: whether z' is in the goal; labels: see `FrameBatch`.
    """

    latents: Tensor
    next_latents: Tensor
    actions: Tensor
    rewards: Tensor
    arrives: Tensor
    labels: Mapping[str, Tensor]
