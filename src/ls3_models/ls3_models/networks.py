"""The networks of section 7.1.1: beta-VAE, probabilistic dynamics ensemble, value ensemble, heads.

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

IMAGE_SIZE = 64
LOG_STD_MIN, LOG_STD_MAX = -6.0, 1.0  # of the latent change per step; keeps the likelihood finite


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
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.baddbmm(bias, rows, weight)
            if layer < last:
                rows = torch.relu(rows)
        return rows


class StridedConvolution(nn.Conv2d):
    """A stride-2 convolution computed as a stride-1 one over 2 x 2 blocks of pixels.

    Exactly ``Conv2d(in, out, 4, stride=2)``; on a CPU the few input channels of an image make the
    plain form several times slower.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        outputs, inputs = self.weight.shape[:2]
        blocks = self.weight.view(outputs, inputs, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4)
        blocks = blocks.reshape(outputs, inputs * 4, 2, 2)
        return functional.conv2d(functional.pixel_unshuffle(images, 2), blocks, self.bias)


class SubPixelTransposed(nn.ConvTranspose2d):
    """A stride-2 transposed convolution with an even kernel, computed by sub-pixel convolution.

    Exactly ``ConvTranspose2d(in, out, kernel, stride=2)``: output pixel (2 i + r, 2 j + c) is a
    stride-1 convolution whose kernel holds every second weight, so that all four phases (r, c) are
    one convolution and a pixel shuffle.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        if kernel % 2:
            raise ValueError(f"the kernel must be even, not {kernel}")
        super().__init__(inputs, outputs, kernel, stride=2)

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        inputs, outputs, kernel, _ = self.weight.shape
        half = kernel // 2
        phases = self.weight.view(inputs, outputs, half, 2, half, 2).flip((2, 4))
        phases = phases.permute(1, 3, 5, 0, 2, 4).reshape(outputs * 4, inputs, half, half)
        assert self.bias is not None
        bias = self.bias.repeat_interleave(4)
        mixed = functional.conv2d(images, phases, bias, padding=half - 1)
        return functional.pixel_shuffle(mixed, 2)


class Encoder(nn.Module):
    """f_enc(z | s): images (batch, channel, 64, 64) in [0, 1] to mean and log-std (batch, d).

    The encoder of Hafner et al. (PlaNet) with stride 3 in its second layer (section 7.1.1).
    """

    def __init__(self, channels: int, latent_dim: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            StridedConvolution(channels, 32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=3),
            nn.ReLU(),
            nn.Conv2d(64, 128, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(128, 256, 4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        convert_conv2d_weight_memory_format(self.convolutions, torch.channels_last)
        self.mean = nn.Linear(256, latent_dim)
        self.log_std = nn.Linear(256, latent_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.convolutions(images)
        return self.mean(features), self.log_std(features)


class Decoder(nn.Module):
    """f_dec: latents (batch, d) to images (batch, channel, 64, 64), unbounded.

    Its first transposed convolution sees a single pixel, which makes it a linear layer.
    """

    def __init__(self, channels: int, latent_dim: int) -> None:
        super().__init__()
        self.input = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.Linear(256, 128 * 5 * 5),
            nn.ReLU(),
            nn.Unflatten(1, (128, 5, 5)),
        )
        self.convolutions = nn.Sequential(
            nn.ConvTranspose2d(128, 64, 5, stride=2),
            nn.ReLU(),
            SubPixelTransposed(64, 32, 6),
            nn.ReLU(),
            SubPixelTransposed(32, channels, 6),
        )
        convert_conv2d_weight_memory_format(self.convolutions, torch.channels_last)

    def forward(self, latents: Tensor) -> Tensor:
        return self.convolutions(self.input(latents).contiguous(memory_format=torch.channels_last))


class Dynamics(nn.Module):
    """f_dyn(z_{t+1} | z_t, a_t): an ensemble of Gaussians over the change of the latent (eq. 8)."""

    def __init__(self, members: int, latent_dim: int, action_dim: int, hidden: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        sizes = (latent_dim + action_dim, hidden, hidden, 2 * latent_dim)
        self.mlp = StackedMLP(members, sizes)

    def forward(self, latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-std of z' - z, each (member, row, d); actions scaled to [-1, 1]."""
        return split_gaussian(self.mlp(torch.cat((latents, actions), dim=-1)))

    def negative_log_likelihood(self, latents: Tensor, actions: Tensor, change: Tensor) -> Tensor:
        """Equation (8), mean over members, rows and dimensions, without its constant."""
        mean, log_std = self(latents, actions)
        return (0.5 * ((change - mean) * torch.exp(-log_std)).square() + log_std).mean()


def split_gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    """The dynamics' raw output (..., 2 d) as mean and softly bounded log-std (..., d)."""
    mean, raw = output.chunk(2, dim=-1)
    log_std = LOG_STD_MAX - functional.softplus(LOG_STD_MAX - raw)
    log_std = LOG_STD_MIN + functional.softplus(log_std - LOG_STD_MIN)
    return mean, log_std


class Heads(nn.Module):
    """Everything that is read off a latent: V, f_S, f_C and f_G (sections 4.2 and 4.3).

    All but the value give logits.
    """

    def __init__(self, value_members: int, latent_dim: int, hidden: int) -> None:
        super().__init__()
        sizes = (latent_dim, hidden, hidden, hidden, 1)
        self.value = StackedMLP(value_members, sizes)
        self.safe = StackedMLP(1, sizes)
        self.constraint = StackedMLP(1, sizes)
        self.goal = StackedMLP(1, sizes)
