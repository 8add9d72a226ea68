"""What `replay.Replay` draws: rows of latents with what was seen there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FrameBatch:
    """A batch of frames: z (..., d), and by the head what it is to say of them (...)."""

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
