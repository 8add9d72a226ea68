"""Transforms a stack of frames into its newest frame and the changes between frames.

Between two frames an arm moves by about a pixel. A VAE that learns the pixels of a stack draws the
mean of the frames without the motion. On reacher, after 6000 steps, such a VAE drew the changes no
better than a VAE that draws none, and latents did not reveal speeds (docs/decisions/domains.md,
record 51). This invertible transform makes the changes inputs and outputs of their own, which count
as much as frames.
"""

from __future__ import annotations

import itertools

import torch
from torch import Generator, Tensor

GAIN = 4.0
"""Factor of the changes, which then vary about as much as a frame."""


def to_changes(images: Tensor, frames: int) -> Tensor:
    """Transform stacks into the newest frame and GAIN times the changes x_k - x_{k-1}.

    Args:
        images: (batch, frames * c, h, w), the oldest frame first.
        frames: the number of frames in a stack. A single frame is returned unchanged.

    Returns:
        (batch, frames * c, h, w), the newest frame first, then the changes, the latest first.
    """
    if frames == 1:
        return images
    parts = images.chunk(frames, dim=1)
    changes = [GAIN * (new - old) for old, new in itertools.pairwise(parts)]
    return torch.cat((parts[-1], *reversed(changes)), dim=1)


def from_changes(parts: Tensor, frames: int) -> Tensor:
    """Invert `to_changes`."""
    if frames == 1:
        return parts
    newest, *changes = parts.chunk(frames, dim=1)
    images = [newest]
    for change in changes:
        images.insert(0, images[0] - change / GAIN)
    return torch.cat(images, dim=1)


def reverse_some(images: Tensor, frames: int, generator: Generator) -> Tensor:
    """Reverse the order of the frames in a random half of the stacks (batch, frames * c, h, w).

    An arm may move in either direction, but few postures in the data occur at more than one speed.
    """
    if frames == 1:
        return images
    backwards = torch.rand(len(images), generator=generator) < 0.5
    reversed_ = torch.cat(images.chunk(frames, dim=1)[::-1], dim=1)
    return torch.where(backwards[:, None, None, None], reversed_, images)
