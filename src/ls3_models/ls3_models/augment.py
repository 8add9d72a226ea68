"""Augmentation of image batches for the VAE (sections 4.1 and 7.3.4).

Each image gets its own random transform. The transformed image is both input and target. This is
equivalent to enlarging the data set with transformed copies, with new copies in every batch.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

CROP_AREA = (0.8, 1.0)  # share of the image that a crop keeps
CROP_RATIO = (3 / 4, 4 / 3)
SHIFT = 0.1  # of the image's width, to either side
PERSPECTIVE = 0.05  # change of scale from the centre to the edge


def augment(images: Tensor, kind: str, share: float, generator: Generator) -> Tensor:
    """Transform a random `share` of images (batch, channel, h, w) by `kind`: crop, warp or none."""
    if kind == "none" or share == 0:
        return images
    homography = {"crop": _random_crop, "warp": _random_warp}[kind](len(images), generator)
    keep = torch.rand(len(images), generator=generator) >= share
    homography[keep] = torch.eye(3)
    return warp(images, homography)


def warp(images: Tensor, homography: Tensor, padding: str = "zeros") -> Tensor:
    """Show images (batch, channel, h, w) as homographies (batch, 3, 3) see them.

    A homography takes a point of the result to the point of the image that is seen there; both are
    (x, y) in [-1, 1]. padding: of what lies beyond the image, as in PyTorch's `grid_sample`.
    """
    axis_y = torch.linspace(-1, 1, images.shape[2])
    axis_x = torch.linspace(-1, 1, images.shape[3])
    y, x = torch.meshgrid(axis_y, axis_x, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), dim=-1).reshape(1, -1, 3)
    moved = points @ homography.transpose(1, 2)  # (batch, pixel, 3)
    grid = (moved[..., :2] / moved[..., 2:]).reshape(len(images), *images.shape[2:], 2)
    grid = grid.to(images.device)
    return functional.grid_sample(images, grid, padding_mode=padding, align_corners=True)


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _random_crop(count: int, generator: Generator) -> Tensor:
    """Draw homographies (count, 3, 3) that enlarge a random rectangle to the whole image."""
    area = _uniform(count, *CROP_AREA, generator)
    narrow, wide = (math.log(ratio) for ratio in CROP_RATIO)
    ratio = torch.exp(_uniform(count, narrow, wide, generator))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    matrix = torch.zeros(count, 3, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 2, 2] = width, height, 1
    matrix[:, 0, 2] = (1 - width) * _uniform(count, -1, 1, generator)
    matrix[:, 1, 2] = (1 - height) * _uniform(count, -1, 1, generator)
    return matrix


def _random_warp(count: int, generator: Generator) -> Tensor:
    """Draw homographies (count, 3, 3) with a random translation and perspective."""
    matrix = torch.eye(3).repeat(count, 1, 1)
    for axis in range(2):
        matrix[:, axis, 2] = _uniform(count, -2 * SHIFT, 2 * SHIFT, generator)
        matrix[:, 2, axis] = _uniform(count, -PERSPECTIVE, PERSPECTIVE, generator)
    return matrix
