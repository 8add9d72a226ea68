"""What the comparisons remember: every frame once, and steps that are drawn uniformly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_models.columns import Column


@dataclass(frozen=True)
class Batch:
    """Steps (row, ...).

    Attributes:
        observations: s_t, what a trunk takes.
        actions: a_t (row, A), in [-1, 1].
        rewards: r_t (row,), without any penalty.
        constraint: c_t (row,), 1 if s_{t+1} violates a constraint.
        arrives: (row,), 1 if s_{t+1} is in the goal, without a violation up to then.
        next_observations: s_{t+1}.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    constraint: Tensor
    arrives: Tensor
    next_observations: Tensor


class Frames(Protocol):
    """Frames, which are remembered once and drawn by their number."""

    def __len__(self) -> int: ...

    def extend(self, images: np.ndarray) -> None:
        """Append images, uint8 (n, h, w, channel)."""

    def draw(self, index: Tensor, generator: Generator) -> Tensor:
        """Return the frames of these numbers (row,), as a trunk takes them (row, ...)."""

    def now(self, image: np.ndarray) -> Tensor:
        """Return an image (h, w, channel) as a trunk takes it, to act on: (1, ...)."""


class ImageFrames:
    """Images as they are. Episodes that are in memory anyway are not copied."""

    def __init__(self) -> None:
        self._images: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._images)

    def extend(self, images: np.ndarray) -> None:
        """See `Frames`. The arrays are kept, and must not be changed."""
        self._images.extend(images)

    def draw(self, index: Tensor, generator: Generator) -> Tensor:
        """Return uint8 (row, h, w, channel)."""
        return torch.from_numpy(np.stack([self._images[i] for i in index.tolist()]))

    def now(self, image: np.ndarray) -> Tensor:
        """Return uint8 (1, h, w, channel)."""
        return torch.from_numpy(np.ascontiguousarray(image[None]))


Encode = Callable[[np.ndarray], tuple[Tensor, Tensor]]
"""Encodes images, uint8 (n, h, w, channel), as mean and standard deviation, each (n, d)."""


class LatentFrames:
    """Images as latents of a frozen encoder. Every draw samples a new z, as LS3's heads get it."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._mean: Column | None = None
        self._std: Column | None = None

    def __len__(self) -> int:
        return 0 if self._mean is None else len(self._mean)

    def extend(self, images: np.ndarray) -> None:
        """See `Frames`."""
        mean, std = self._encode(images)
        if self._mean is None or self._std is None:
            self._mean, self._std = Column(mean), Column(std)
        self._mean.extend(mean)
        self._std.extend(std)

    def draw(self, index: Tensor, generator: Generator) -> Tensor:
        """Return z (row, d)."""
        assert self._mean is not None and self._std is not None
        mean = self._mean.values[index]
        noise = torch.randn(mean.shape, generator=generator)
        return mean + self._std.values[index] * noise

    def now(self, image: np.ndarray) -> Tensor:
        """Return the mean of z (1, d)."""
        return self._encode(image[None])[0]


class StepReplay:
    """Steps between frames, for good: nothing is ever dropped."""

    def __init__(self, frames: Frames) -> None:
        """Make an empty replay; several may share `frames`."""
        self.frames = frames
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._columns["first"]) if self._columns else 0

    def add(
        self,
        first: int,
        actions: Tensor,
        rewards: Sequence[float] | np.ndarray,
        constraint: Sequence[bool] | np.ndarray,
        arrives: Sequence[bool] | np.ndarray,
    ) -> None:
        """Add n steps between the n + 1 frames that begin with number `first`.

        Args:
            first: number of the frame before the first step.
            actions: (n, A), in [-1, 1].
            rewards: (n,).
            constraint: (n,), see `Batch`.
            arrives: (n,), see `Batch`.
        """
        part = {
            "first": torch.arange(len(actions)) + first,
            "actions": actions,
            "rewards": torch.as_tensor(np.asarray(rewards, np.float32)),
            "constraint": torch.as_tensor(np.asarray(constraint, np.float32)),
            "arrives": torch.as_tensor(np.asarray(arrives, np.float32)),
        }
        for name, values in part.items():
            if name not in self._columns:
                self._columns[name] = Column(values)
            self._columns[name].extend(values)

    def draw(self, rows: int, generator: Generator) -> Batch:
        """Draw steps uniformly, with replacement.

        Raises:
            ValueError: there are no steps.
        """
        if not len(self):
            raise ValueError("there are no steps to learn from")
        drawn = torch.randint(len(self), (rows,), generator=generator)
        step = {name: column.values[drawn] for name, column in self._columns.items()}
        return Batch(
            self.frames.draw(step["first"], generator),
            step["actions"],
            step["rewards"],
            step["constraint"],
            step["arrives"],
            self.frames.draw(step["first"] + 1, generator),
        )
