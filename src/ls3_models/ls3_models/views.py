"""Copies of episodes as another camera in another light would have shown them.

The paper transforms single images, and for the VAE only. Dynamics and heads then know one camera
at one place, and a camera that is a pixel off shows latents that they have never seen. A view is
drawn once for an episode, as it holds for an episode in the laboratory, and all networks learn
from the copy. Beyond the paper; off by default (docs/decisions/learning.md, record 195).
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from ls3_models.augment import warp
from ls3_models.config import ViewConfig

OCCLUDED_SHARE = 0.5
"""Share of the views in which something hides a part of the picture."""


def seen(
    images: Tensor,
    config: ViewConfig,
    generator: Generator,
    *,
    of_masks: bool = False,
    together: bool = False,
) -> Tensor:
    """Return images (batch, channel, h, w) in [0, 1] as other views show them.

    Args:
        images: masks or pictures.
        config: the ranges of the views.
        generator: source of all draws.
        of_masks: whether beyond the edge and where something hides the scene there is nothing.
        together: whether all images are seen in one view, as those of an episode are.
    """
    count = 1 if together else len(images)
    moved = warp(
        images,
        _places(count, config, generator).expand(len(images), 3, 3),
        padding="zeros" if of_masks else "border",
    )
    if config.light:
        gain = 1 + config.light * _uniform((count, 1, 1, 1), generator)
        moved = (moved * gain).clamp(max=1)
    if config.occlusion:
        grey = torch.zeros(count, 1, 1, 1)
        if not of_masks:
            grey = torch.rand(grey.shape, generator=generator)
        focus = moved if of_masks else None
        occluded = _occluded(count, moved.shape[2:], config, generator, focus)
        moved = torch.where(occluded, grey, moved)
    return moved


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Draw from [-1, 1]."""
    return 2 * torch.rand(shape, generator=generator) - 1


def _places(count: int, config: ViewConfig, generator: Generator) -> Tensor:
    """Draw homographies (count, 3, 3) that shift, turn and scale, about the image's middle."""
    draws = _uniform((4, count), generator)
    angle = math.radians(config.rotation) * draws[0]
    scale = 1 + config.scale * draws[1]
    matrix = torch.zeros(count, 3, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1] = -scale * angle.sin()
    matrix[:, 1, 0] = scale * angle.sin()
    matrix[:, :2, 2] = 2 * config.shift * draws[2:].T  # the image is 2 wide in its coordinates
    matrix[:, 2, 2] = 1
    return matrix


def _occluded(
    count: int,
    size: tuple[int, ...],
    config: ViewConfig,
    generator: Generator,
    focus: Tensor | None,
) -> Tensor:
    """Draw the pixels (count, 1, h, w) that are occluded: a square, in a share of the views.

    focus: images (batch, channel, h, w); the middle of the square is a bright pixel of one of them,
    because a square on nothing hides nothing. None: the square lies anywhere.
    """
    height, width = size
    side = max(1, round(config.occlusion * width))
    corner = torch.rand((count, 2), generator=generator) * torch.tensor(
        [height - side, width - side]
    )
    if focus is not None:
        of = torch.arange(count)
        if count < len(focus):
            of = torch.randint(len(focus), (count,), generator=generator)
        weight = focus[of].amax(dim=1).flatten(1)
        shows = weight.sum(dim=1) > 0
        if bool(shows.any()):
            pixel = torch.multinomial(weight[shows], 1, generator=generator)
            corner[shows] = torch.cat((pixel // width, pixel % width), dim=1) - side / 2
    corner = corner.round().clamp(min=0)[:, :, None]
    top = corner[:, 0].clamp(max=height - side)
    left = corner[:, 1].clamp(max=width - side)
    rows, columns = torch.arange(height), torch.arange(width)
    row = (rows >= top) & (rows < top + side)
    column = (columns >= left) & (columns < left + side)
    some = torch.rand((count, 1, 1), generator=generator) < OCCLUDED_SHARE
    return (row[:, :, None] & column[:, None, :] & some)[:, None]
