"""The networks of the comparisons: trunks, twin critics and two Gaussian policies.

Actions are in [-1, 1] everywhere: -1 is the least and 1 the greatest action of the domain.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Generator, Tensor, nn

from ls3_models.frame_stack import to_changes
from ls3_models.networks import Encoder, StackedMLP

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
"""Bounds of the log-std of a squashed Gaussian, before it is squashed."""
INSIDE = 1e-6
"""Keeps the logarithm of 1 - tanh(x)^2 finite where tanh(x) rounds to 1."""


class ImageTrunk(nn.Module):
    """Images uint8 (batch, h, w, channel) to features (batch, 256), by the convolutions of f_enc.

    It learns end to end: nothing is taken from a VAE. Stacked frames enter as the newest frame and
    the changes (`frame_stack`), because motion is below a pixel otherwise. With `bfloat16` the
    convolutions compute in 16 bits.
    """

    size = 256

    def __init__(self, channels: int, frames: int, *, bfloat16: bool = False) -> None:
        super().__init__()
        self.frames, self.halves = frames, bfloat16
        self.convolutions = Encoder(channels, latent_dim=1, frames=frames).convolutions

    def forward(self, images: Tensor) -> Tensor:
        pixels = to_changes(images.permute(0, 3, 1, 2).float() / 255, self.frames)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.halves):
            features: Tensor = self.convolutions(pixels)
        return features.float()


class VectorTrunk(nn.Module):
    """Vectors (batch, size), such as the latents of a frozen encoder, are features as they are."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors


Trunk = ImageTrunk | VectorTrunk


def mlp(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers of these sizes, with a ReLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Give linear layers Xavier's uniform weights and zero biases, as in reference 55."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, StackedMLP):
            for weight, bias in zip(layer.weights, layer.biases, strict=True):
                bound = math.sqrt(6 / sum(weight.shape[1:]))
                weight.uniform_(-bound, bound)
                bias.zero_()


class TwinCritic(nn.Module):
    """Two independent networks of features (row, F) and actions (row, A), with values (2, row)."""

    def __init__(self, features: int, action_dim: int, hidden: int) -> None:
        super().__init__()
        self.both = StackedMLP(2, (features + action_dim, hidden, hidden, 1))

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        rows = torch.cat((features, actions), dim=-1)
        return self.both(rows.expand(2, -1, -1))[..., 0]


class SquashedGaussian(nn.Module):
    """The policy of SAC: a = tanh(x), where x is Gaussian.

    ``forward`` maps features (row, F) to mean and log-std of x, each (row, A). Both are linear in
    two hidden layers.
    """

    def __init__(self, features: int, action_dim: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(mlp((features, hidden, hidden)), nn.ReLU())
        self.mean = nn.Linear(hidden, action_dim)
        self.log_std = nn.Linear(hidden, action_dim)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(features)
        return self.mean(hidden), self.log_std(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX)

    def greedy(self, features: Tensor) -> Tensor:
        """Return the actions tanh(mean) (row, A)."""
        return torch.tanh(self(features)[0])

    def sample(self, features: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw actions (row, A) with gradient; return them and their log-density (row,)."""
        mean, log_std = self(features)
        noise = torch.randn(mean.shape, generator=generator)
        actions = torch.tanh(mean + torch.exp(log_std) * noise)
        gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        squashing = torch.log(1 - actions.square() + INSIDE)
        return actions, (gaussian - squashing).sum(dim=-1)


class GaussianPolicy(nn.Module):
    """A policy a ~ N(tanh(f(features)), sigma) with one sigma for each axis, free of the state.

    Samples are not bounded; they are clipped where they are executed.
    """

    def __init__(
        self, sizes: tuple[int, ...], *, bounds: tuple[float, float] | None = None
    ) -> None:
        """Make a policy.

        Args:
            sizes: of the mean's layers, from the features to the actions.
            bounds: least and greatest log-std, between which a sigmoid moves it, from the middle
                on. None: the log-std is a free parameter, at first 0.
        """
        super().__init__()
        self.mean, self.bounds = mlp(sizes), bounds
        self.free = nn.Parameter(torch.zeros(sizes[-1]))

    @property
    def log_std(self) -> Tensor:
        """The log-std of each axis (A,)."""
        if self.bounds is None:
            return self.free
        low, high = self.bounds
        return low + (high - low) * torch.sigmoid(self.free)

    def greedy(self, features: Tensor) -> Tensor:
        """Return the mean actions (row, A)."""
        return torch.tanh(self.mean(features))

    def sample(self, features: Tensor, generator: Generator) -> Tensor:
        """Draw actions (row, A) with gradient."""
        mean = self.greedy(features)
        noise = torch.randn(mean.shape, generator=generator)
        return mean + torch.exp(self.log_std) * noise

    def log_density(self, features: Tensor, actions: Tensor) -> Tensor:
        """Return the log-density (row,) of actions (row, A)."""
        scaled = (actions - self.greedy(features)) * torch.exp(-self.log_std)
        gaussian = -0.5 * scaled.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        return gaussian.sum(dim=-1)


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move the weights of `target` by a share `tau` towards those of `source` (Polyak)."""
    for slow, fast in zip(target.parameters(), source.parameters(), strict=True):
        slow.lerp_(fast, tau)
