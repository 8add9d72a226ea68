"""Networks with their optimisers and random generators, whose state is exact."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

import torch
from torch import Generator, Tensor, nn

from ls3_models import optimiser_state
from ls3_models.agent import NonFiniteLoss
from ls3_models.optimiser_state import part


class UpdateRule(ABC):
    """Base of the update rules: everything that decides the next step, by name.

    Attributes:
        networks: what acts and what learns, with its targets.
        optimisers: one for each part that descends on its own.
        generators: every random draw of learning comes from one of them.
    """

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Adam] = {}
        self.generators: dict[str, Generator] = {}

    def descend(self, name: str, loss: Tensor) -> None:
        """Make one step of optimiser `name` down the gradient of `loss`.

        Raises:
            NonFiniteLoss: the loss is not finite.
        """
        if not torch.isfinite(loss):
            raise NonFiniteLoss(f"the loss of '{name}' is {float(loss.detach())}")
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    @abstractmethod
    def act(self, observations: Tensor, generator: Generator | None) -> Tensor:
        """Return actions (row, A), in [-1, 1] or beyond: drawn, or without a generator greedy."""

    def recover(
        self, observations: Tensor, proposed: Tensor, generator: Generator
    ) -> Tensor | None:
        """Return an action (1, A) instead of the proposed one (1, A); None: the latter is good."""
        return None

    def weights(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the weights of these networks, as ``<network>.<weight>``."""
        return {
            f"{name}.{key}": value
            for name in names
            for key, value in self.networks[name].state_dict().items()
        }

    def load_weights(self, names: Iterable[str], tensors: Mapping[str, Tensor]) -> None:
        """Restore `weights`.

        Raises:
            RuntimeError: a tensor is missing or has another shape.
        """
        for name in names:
            self.networks[name].load_state_dict(part(tensors, name))

    def state(self) -> dict[str, Tensor]:
        """Return weights, optimisers and generators."""
        tensors = self.weights(self.networks) | optimiser_state.tensors_of(self.optimisers)
        for name, generator in self.generators.items():
            tensors[f"generator.{name}"] = generator.get_state()
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore `state`.

        Raises:
            KeyError, RuntimeError, ValueError: a tensor is missing or has another shape.
        """
        self.load_weights(self.networks, tensors)
        optimiser_state.load(self.optimisers, tensors)
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"generator.{name}"])
