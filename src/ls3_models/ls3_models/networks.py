"""The networks of section 7.1.1: beta-VAE, probabilistic dynamics ensemble, and those of heads.

Ensembles are stacked: one tensor holds the weights of all members, so that a layer of the whole
ensemble is one batched matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from ls3_common.errors import ConfigError
from ls3_models import ensembles
from ls3_models.frame_stack import from_changes, to_changes

IMAGE_SIZE = 64
"""Side of the images that encoder and decoder take (section 7.1.1)."""
LOG_STD_MIN, LOG_STD_MAX = -6.0, 1.0
"""Bounds of the log-std of the latent's change per step, which keep the likelihood finite."""


def check_image(height: int, width: int) -> None:
    """Refuse images of a size that encoder and decoder do not take.

    Raises:
        ConfigError: the size differs from IMAGE_SIZE; the text names both.
    """
    if (height, width) != (IMAGE_SIZE, IMAGE_SIZE):
        raise ConfigError(
            f"images of {height} x {width}, the networks take {IMAGE_SIZE} x {IMAGE_SIZE}",
            where="domain",
            do=f"set image_size to {IMAGE_SIZE}, and have the environment or the camera's node "
            "resize the images",
        )


class StackedMLP(nn.Module):
    """`members` independent ReLU networks, evaluated together.

    ``forward`` maps (member, row, inputs) to (member, row, outputs). Initial weights follow
    ``nn.Linear``.
    """

    def __init__(self, members: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.members, self.sizes = members, tuple(sizes)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            bound = 1 / math.sqrt(fan_in)
            weight = torch.empty(members, fan_in, fan_out).uniform_(-bound, bound)
            self.weights.append(nn.Parameter(weight))
            bias = torch.empty(members, 1, fan_out).uniform_(-bound, bound)
            self.biases.append(nn.Parameter(bias))

    def forward(self, rows: Tensor) -> Tensor:
        weights, biases = list(self.weights), list(self.biases)
        if ensembles.applies_to(rows, weights):
            return ensembles.apply(rows, weights, biases)
        last = len(weights) - 1
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            rows = torch.baddbmm(bias, rows, weight)
            if layer < last:
                rows = torch.relu(rows)
        return rows


class WholeConvolution(nn.Conv2d):
    """A convolution whose kernel is as large as its input, computed as the linear layer it is.

    ``forward`` maps images (batch, inputs, height, width) to (batch, outputs). With this layer the
    encoder of a single frame takes two thirds of the time.
    """

    def forward(self, images: Tensor) -> Tensor:
        # the order of axes in memory (channels_last), so that nothing is copied
        rows = images.permute(0, 2, 3, 1).flatten(1)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return functional.linear(rows, weight, self.bias)


class Encoder(nn.Module):
    """f_enc(z | s): images (batch, channel, 64, 64) in [0, 1] to mean and log-std (batch, d).

    The encoder of Hafner et al. (PlaNet) with stride 3 in its second layer (section 7.1.1). Stacked
    frames enter as the newest frame and the changes (`frame_stack`).
    """

    def __init__(self, channels: int, latent_dim: int, frames: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 32, 4, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, 4, stride=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, 4, stride=2),
            nn.ReLU(inplace=True),
            WholeConvolution(128, 256, 4, stride=2),
            nn.ReLU(),
        )
        convert_conv2d_weight_memory_format(self.convolutions, torch.channels_last)
        self.mean = nn.Linear(256, latent_dim)
        self.log_std = nn.Linear(256, latent_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.convolutions(to_changes(images, self.frames))
        return self.mean(features), self.log_std(features)


class Decoder(nn.Module):
    """f_dec: latents (batch, d) to images (batch, channel, 64, 64), unbounded.

    The decoder of Hafner et al. (PlaNet). Its first transposed convolution acts on a single pixel,
    and is therefore a linear layer here. Stacked frames are computed from the newest frame and the
    changes (`frame_stack`).
    """

    def __init__(self, channels: int, latent_dim: int, frames: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.input = nn.Sequential(
            nn.Linear(latent_dim, 256), nn.Linear(256, 128 * 5 * 5), nn.ReLU(inplace=True)
        )
        self.convolutions = nn.Sequential(
            nn.ConvTranspose2d(128, 64, 5, stride=2),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(64, 32, 6, stride=2),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(32, channels, 6, stride=2),
        )
        convert_conv2d_weight_memory_format(self.convolutions, torch.channels_last)

    def forward(self, latents: Tensor) -> Tensor:
        pixels = self.input(latents).view(-1, 128, 5, 5)
        return from_changes(self.convolutions(pixels), self.frames)


class Dynamics(nn.Module):
    """f_dyn(z_{t+1} | z_t, a_t): an ensemble of Gaussians over the change of the latent (eq. 8)."""

    def __init__(self, members: int, latent_dim: int, action_dim: int, hidden: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        sizes = (latent_dim + action_dim, hidden, hidden, 2 * latent_dim)
        self.mlp = StackedMLP(members, sizes)

    def forward(self, latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the change of latents (member, row, d) by actions (member, row, A) in [-1, 1].

        Returns:
            Mean and log-std of z' - z, each (member, row, d).
        """
        return split_gaussian(self.mlp(torch.cat((latents, actions), dim=-1)))

    def negative_log_likelihood(self, latents: Tensor, actions: Tensor, change: Tensor) -> Tensor:
        """Equation (8) without its constant, averaged over members, rows and dimensions.

        `change` is z' - z (member, row, d).
        """
        mean, log_std = self(latents, actions)
        return (0.5 * ((change - mean) * torch.exp(-log_std)).square() + log_std).mean()


def split_gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    """Split the dynamics' raw output (..., 2 d) into mean and softly bounded log-std (..., d)."""
    mean, raw = output.chunk(2, dim=-1)
    log_std = LOG_STD_MAX - functional.softplus(LOG_STD_MAX - raw)
    log_std = LOG_STD_MIN + functional.softplus(log_std - LOG_STD_MIN)
    return mean, log_std
