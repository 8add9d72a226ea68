"""Batches that `replay.Replay` draws: latents, with their labels, actions and rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FrameBatch:
    """A batch of frames: z (..., d), and each head's labels (...) of them by the head's name."""

    latents: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True)
class Transitions:
    """A batch of transitions (...).

    Attributes:
        latents: z (..., d).
        next_latents: z' (..., d).
        actions: (..., A), in [-1, 1].
        rewards: (...).
        arrives: (...), whether z' is in the goal (`Episode.arrivals`).
        labels: each head's labels (...) by the head's name.
    """

    latents: Tensor
    next_latents: Tensor
    actions: Tensor
    rewards: Tensor
    arrives: Tensor
    labels: Mapping[str, Tensor]
