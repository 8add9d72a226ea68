"""Where the candidates of a search come from: Table 3's CEM, and iCEM.

Shapes: N candidates, k elites, H horizon, A action. Actions are in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ls3_planner.config import PlannerConfig

CORRELATION = 0.5
"""Of the noise of neighbouring steps in iCEM. The paper on iCEM colours the noise by its spectrum,
which has a single frequency besides 0 where H is 3."""
KEPT_SHARE = 0.3
"""Share of the elites that iCEM takes over into the next iteration, and into the next plan."""


class Gaussian:
    """The Gaussian of the cross-entropy method, refitted to the elites (section 4.4).

    The first candidates of a plan are a share p_random of uniform ones, and the rest from the last
    plan's Gaussian.

    memory: (m, H, A), what the next plan begins with: mean, standard deviation, and kept elites.
    None: nothing.
    """

    def __init__(self, config: PlannerConfig, action_dim: int, generator: Generator) -> None:
        self._config, self._generator = config, generator
        self._shape = (config.cost.candidates, config.horizon, action_dim)
        self.memory: Tensor | None = None

    def first(self) -> Tensor:
        """Draw the candidates (N, H, A) of a plan's first iteration."""
        device = self._generator.device
        candidates = 2 * torch.rand(self._shape, generator=self._generator, device=device) - 1
        if self.memory is not None:
            remembered = len(candidates) - round(self._config.random_share * len(candidates))
            candidates[:remembered] = self._around(remembered)
        return self._with_kept(candidates)

    def refit(self, elites: Tensor) -> None:
        """Fit the Gaussian to elites (k, H, A)."""
        std = elites.std(dim=0, correction=0).clamp(min=self._config.std_floor)
        self.memory = torch.cat((elites.mean(dim=0)[None], std[None], self._kept(elites)))

    def following(self) -> Tensor:
        """Draw the candidates (N, H, A) of the next iteration."""
        return self._with_kept(self._around(self._shape[0]))

    def advance(self) -> None:
        """Move the memory on by the step that is about to be executed."""
        assert self.memory is not None
        self.memory = torch.cat((self.memory[:, 1:], self.memory[:, -1:]), dim=1)

    def _around(self, count: int) -> Tensor:
        assert self.memory is not None
        mean, std = self.memory[:2]
        return (mean + std * self._noise((count, *self._shape[1:]))).clamp(-1, 1)

    def _noise(self, shape: Sequence[int]) -> Tensor:
        return torch.randn(shape, generator=self._generator, device=self._generator.device)

    def _kept(self, elites: Tensor) -> Tensor:
        return elites[:0]

    def _with_kept(self, candidates: Tensor) -> Tensor:
        return candidates


class ImprovedGaussian(Gaussian):
    """The search of iCEM (Pinneri et al., CoRL 2020): coloured noise, and elites that are kept.

    Elites are kept from iteration to iteration and, moved on by a step, from plan to plan. That the
    best candidate seen is executed, whichever iteration found it, holds for every search here.
    """

    def _noise(self, shape: Sequence[int]) -> Tensor:
        """Draw noise of variance 1 in which each step resembles the step before."""
        noise = super()._noise(shape)
        for step in range(1, shape[1]):
            fresh = math.sqrt(1 - CORRELATION**2) * noise[:, step]
            noise[:, step] = CORRELATION * noise[:, step - 1] + fresh
        return noise

    def _kept(self, elites: Tensor) -> Tensor:
        return elites[: round(KEPT_SHARE * self._config.cost.elites)]

    def _with_kept(self, candidates: Tensor) -> Tensor:
        if self.memory is not None:
            kept = self.memory[2:]
            candidates[len(candidates) - len(kept) :] = kept
        return candidates


SEARCHES: dict[str, type[Gaussian]] = {"cem": Gaussian, "icem": ImprovedGaussian}
"""The class of each value of the parameter `search`."""
