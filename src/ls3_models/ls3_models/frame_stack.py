"""Stacked frames as the newest one and the changes that led to it.

Between two frames an arm moves by about a pixel. A VAE that is rewarded for pixels draws the mean
of the frames and leaves the motion out: after 6000 steps on reacher its error of the changes was
that of drawing none, and speeds could not be told from latents (docs/decisions/domains.md, record
51). In this basis, which loses nothing, changes are inputs and outputs of their own and count as
much as frames do.
"""

from __future__ import annotations

import itertools

import torch
from torch import Generator, Tensor

GAIN = 4.0  # of changes: they then vary about as much as a frame does


def to_changes(images: Tensor, frames: int) -> Tensor:
    """Images (batch, frames * c, h, w), oldest first, to the newest and GAIN times the changes.

    Those are x_k - x_{k-1}, the latest first. A single frame stays as it is.
    """
    if frames == 1:
        return images
    parts = images.chunk(frames, dim=1)
    changes = [GAIN * (new - old) for old, new in itertools.pairwise(parts)]
    return torch.cat((parts[-1], *reversed(changes)), dim=1)


def from_changes(parts: Tensor, frames: int) -> Tensor:
    """The inverse of `to_changes`."""
    if frames == 1:
        return parts
    newest, *changes = parts.chunk(frames, dim=1)
    images = [newest]
    for change in changes:
        images.insert(0, images[0] - change / GAIN)
    return torch.cat(images, dim=1)


def reverse_some(images: Tensor, frames: int, generator: Generator) -> Tensor:
    """Images (batch, frames * c, h, w) with a random half of the stacks played backwards.

    What is seen of an arm that moves back is as good a picture as that of one that moves on, and
    few postures are met at more than one speed.
    """
    if frames == 1:
        return images
    backwards = torch.rand(len(images), generator=generator) < 0.5
    reversed_ = torch.cat(images.chunk(frames, dim=1)[::-1], dim=1)
    return torch.where(backwards[:, None, None, None], reversed_, images)
