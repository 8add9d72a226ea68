"""The networks and updates as they are usually written, to measure and check our own against.

Same architecture, same numbers: each class takes the weights of its fast counterpart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ls3_models.networks import Decoder, Encoder, StackedMLP


class PlainVAE(nn.Module):
    """Encoder and decoder of plain layers, images as (batch, channel, row, column).

    `input` is the first transposed convolution, whose bias may differ from pixel to pixel.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        fast = list(encoder.convolutions)[::2][:4]
        layers: list[nn.Module] = []
        for layer in fast:
            assert isinstance(layer, nn.Conv2d)
            layers += [_copy(nn.Conv2d, layer), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        self.mean, self.log_std = _linear(encoder.mean), _linear(encoder.log_std)
        linear, expand = decoder.input[0], decoder.input[1]
        assert isinstance(linear, nn.Linear) and isinstance(expand, nn.Linear)
        self.input = _linear(linear)
        self.expand = nn.ConvTranspose2d(256, 128, 5, stride=2, bias=False)
        self.expand.to(expand.weight.dtype)
        with torch.no_grad():
            self.expand.weight.copy_(expand.weight.view(128, 5, 5, 256).permute(3, 0, 1, 2))
            self.expand_bias = nn.Parameter(expand.bias.detach().view(128, 5, 5).clone())
        layers = []
        for layer in decoder.convolutions.values():
            assert isinstance(layer, nn.ConvTranspose2d)
            layers += [nn.ReLU(), _copy(nn.ConvTranspose2d, layer)]
        self.decoder = nn.Sequential(*layers)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As `Encoder`."""
        features = self.encoder(images)
        return self.mean(features), self.log_std(features)

    def decode(self, latents: Tensor) -> Tensor:
        """As `Decoder`."""
        pixels = self.expand(self.input(latents)[..., None, None]) + self.expand_bias
        return self.decoder(pixels)


def _copy(kind: type, layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    plain = kind(layer.in_channels, layer.out_channels, layer.kernel_size, stride=layer.stride)
    plain.to(layer.weight.dtype).load_state_dict(layer.state_dict())
    return plain


def _linear(layer: nn.Linear) -> nn.Linear:
    plain = nn.Linear(layer.in_features, layer.out_features).to(layer.weight.dtype)
    plain.load_state_dict(layer.state_dict())
    return plain


class PlainEnsemble(nn.Module):
    """The members of a `StackedMLP` one by one; (member, row, inputs) to (member, row, outputs)."""

    def __init__(self, stacked: StackedMLP) -> None:
        super().__init__()
        members = [self._member(stacked, member) for member in range(stacked.members)]
        self.members = nn.ModuleList(members)

    @staticmethod
    def _member(stacked: StackedMLP, member: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for weight, bias in zip(stacked.weights, stacked.biases, strict=True):
            linear = nn.Linear(*weight.shape[1:]).to(weight.dtype)
            with torch.no_grad():
                linear.weight.copy_(weight[member].T)
                linear.bias.copy_(bias[member, 0])
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def forward(self, rows: Tensor) -> Tensor:
        return torch.stack([m(r) for m, r in zip(self.members, rows, strict=True)])
