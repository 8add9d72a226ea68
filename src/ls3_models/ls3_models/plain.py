"""Ensembles with one network per member, against which stacked ensembles are checked and timed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ls3_models.learner import Learner
from ls3_models.networks import StackedMLP


def plain_members(stacked: StackedMLP) -> list[nn.Sequential]:
    """Copy the members of a `StackedMLP` to separate networks with the same weights and device."""
    return [_member(stacked, member) for member in range(stacked.members)]


class PlainEnsemble(nn.Module):
    """Evaluates the members of a `StackedMLP` one by one.

    ``forward`` maps (member, row, inputs) to (member, row, outputs).
    """

    def __init__(self, stacked: StackedMLP) -> None:
        super().__init__()
        self.members = nn.ModuleList(plain_members(stacked))

    def forward(self, rows: Tensor) -> Tensor:
        return torch.stack([m(r) for m, r in zip(self.members, rows, strict=True)])


def make_plain(learner: Learner) -> Learner:
    """Replace the dynamics and heads of `learner` by plain ensembles of the same weights.

    Returns:
        `learner` itself.
    """
    models = learner.models
    models.dynamics.mlp = PlainEnsemble(models.dynamics.mlp)  # type: ignore[assignment]
    for networks in (models.heads, learner.targets):
        for name, network in networks.items():
            assert isinstance(network, StackedMLP)
            networks[name] = PlainEnsemble(network)
    for name, part in {"dynamics": models.dynamics, **dict(models.heads.items())}.items():
        rate = learner.optimisers[name].param_groups[0]["lr"]
        learner.optimisers[name] = torch.optim.Adam(part.parameters(), lr=rate, fused=True)
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
