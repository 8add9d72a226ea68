"""The networks and updates as they are usually written, to measure and check our own against.

Same architecture, same numbers: each class takes the weights of its fast counterpart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ls3_models.frame_stack import from_changes, to_changes
from ls3_models.learner import Learner
from ls3_models.networks import Decoder, Encoder, StackedMLP


class PlainEncoder(nn.Module):
    """`Encoder` of plain ``Conv2d`` layers."""

    def __init__(self, fast: Encoder) -> None:
        super().__init__()
        self.frames = fast.frames
        layers: list[nn.Module] = []
        for layer in fast.convolutions:
            if isinstance(layer, nn.Conv2d):
                layers += [_copy(nn.Conv2d, layer), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.mean, self.log_std = _linear(fast.mean), _linear(fast.log_std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.convolutions(to_changes(images, self.frames))
        return self.mean(features), self.log_std(features)


class PlainDecoder(nn.Module):
    """`Decoder` of plain ``ConvTranspose2d`` layers; the first has a bias for every pixel."""

    def __init__(self, fast: Decoder) -> None:
        super().__init__()
        self.frames = fast.frames
        linear, expand = fast.input[0], fast.input[1]
        assert isinstance(linear, nn.Linear) and isinstance(expand, nn.Linear)
        self.input = _linear(linear)
        self.expand = nn.ConvTranspose2d(256, 128, 5, stride=2, bias=False)
        self.expand_bias = nn.Parameter(expand.bias.detach().view(128, 5, 5).clone())
        with torch.no_grad():
            self.expand.weight.copy_(expand.weight.view(128, 5, 5, 256).permute(3, 0, 1, 2))
        layers: list[nn.Module] = []
        for layer in fast.convolutions.values():
            assert isinstance(layer, nn.ConvTranspose2d)
            layers += [nn.ReLU(), _copy(nn.ConvTranspose2d, layer)]
        self.convolutions = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        pixels = self.expand(self.input(latents)[..., None, None]) + self.expand_bias
        return from_changes(self.convolutions(pixels), self.frames)


def plain_members(stacked: StackedMLP) -> list[nn.Sequential]:
    """The members of a `StackedMLP` as networks of their own, on its device."""
    return [_member(stacked, member) for member in range(stacked.members)]


class PlainEnsemble(nn.Module):
    """The members of a `StackedMLP` one by one; (member, row, inputs) to (member, row, outputs)."""

    def __init__(self, stacked: StackedMLP) -> None:
        super().__init__()
        self.members = nn.ModuleList(plain_members(stacked))

    def forward(self, rows: Tensor) -> Tensor:
        return torch.stack([m(r) for m, r in zip(self.members, rows, strict=True)])


def make_plain(learner: Learner) -> Learner:
    """`learner` itself with plain networks of the same weights and plain Adam."""
    models = learner.models
    models.encoder = PlainEncoder(models.encoder)  # type: ignore[assignment]
    models.decoder = PlainDecoder(models.decoder)  # type: ignore[assignment]
    models.dynamics.mlp = PlainEnsemble(models.dynamics.mlp)  # type: ignore[assignment]
    for networks in (models.heads, learner.targets):
        for name, network in networks.items():
            assert isinstance(network, StackedMLP)
            networks[name] = PlainEnsemble(network)
    parts = {
        "vae": nn.ModuleList([models.encoder, models.decoder]),
        "dynamics": models.dynamics,
        **dict(models.heads.items()),
    }
    for name, part in parts.items():
        rate = learner.optimisers[name].param_groups[0]["lr"]
        learner.optimisers[name] = torch.optim.Adam(part.parameters(), lr=rate)
    return learner


def _member(stacked: StackedMLP, member: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in zip(stacked.weights, stacked.biases, strict=True):
        inputs, outputs = weight.shape[1:]
        linear = nn.Linear(inputs, outputs, device=weight.device)
        with torch.no_grad():
            linear.weight.copy_(weight[member].T)
            linear.bias.copy_(bias[member, 0])
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _copy(kind: type, layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    plain = kind(layer.in_channels, layer.out_channels, layer.kernel_size, stride=layer.stride)
    plain.load_state_dict(layer.state_dict())
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    return plain


def _linear(layer: nn.Linear) -> nn.Linear:
    plain = nn.Linear(layer.in_features, layer.out_features)
    plain.load_state_dict(layer.state_dict())
    return plain
