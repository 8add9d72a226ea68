"""How the comparisons see: images end to end, or the latents of LS3's frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ls3_models.comparisons.config import ComparisonConfig
from ls3_models.comparisons.networks import ImageTrunk, Trunk, VectorTrunk
from ls3_models.comparisons.replay import Frames, ImageFrames, LatentFrames
from ls3_models.networks import Encoder, check_image
from ls3_models.offline_data import Spec

ROWS = 512
"""Number of images that are encoded at once."""


@dataclass(frozen=True)
class Perception:
    """How an agent sees.

    Attributes:
        trunk: makes an untrained trunk.
        frames: makes an empty memory of what a trunk takes.
        encoder: the weights of a frozen encoder before the trunk, by name; empty without one.
    """

    trunk: Callable[[], Trunk]
    frames: Callable[[], Frames]
    encoder: Mapping[str, Tensor] = field(default_factory=dict)


def of_images(config: ComparisonConfig, spec: Spec) -> Perception:
    """Return what sees by a trunk that learns from images.

    Raises:
        ConfigError: the images have another size than the convolutions take.
    """
    check_image(*spec.observation_shape[:2])
    channels = spec.observation_shape[2]
    bfloat16 = config.arithmetic == "bfloat16"
    return Perception(
        lambda: ImageTrunk(channels, config.frame_stack, bfloat16=bfloat16), ImageFrames
    )


def of_latents(weights: Mapping[str, Tensor], config: ComparisonConfig, spec: Spec) -> Perception:
    """Return what sees the latents of a frozen encoder.

    Args:
        weights: those of an `Encoder`, by name.
        config: has the number of stacked frames.
        spec: has the shape of the images.

    Raises:
        KeyError, RuntimeError: a weight is missing or has another shape.
    """
    size, _ = weights["mean.weight"].shape
    with torch.random.fork_rng():  # the first weights, which are replaced, draw random numbers
        encoder = Encoder(spec.observation_shape[2], size, config.frame_stack)
    encoder.load_state_dict(weights)
    encoder.eval().requires_grad_(False)

    def encode(images: np.ndarray) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        parts = [encoder(block.float() / 255) for block in pixels.split(ROWS)]
        means, log_stds = zip(*parts, strict=True)
        return torch.cat(means), torch.exp(torch.cat(log_stds))

    return Perception(lambda: VectorTrunk(size), lambda: LatentFrames(encode), encoder.state_dict())
