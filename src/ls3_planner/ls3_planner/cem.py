"""Planning (section 4.4): the cross-entropy method under the two chance constraints.

Shapes: N candidates, P particles, H horizon, A action, d latent. Actions are in [-1, 1] inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.errors import DataError
from ls3_models.bundle import Bundle
from ls3_planner.config import PlannerConfig
from ls3_planner.plan import Plan


@dataclass(frozen=True)
class Elites:
    """The k candidates that the Gaussian is refitted to.

    Attributes:
        index: (k,), their places among the candidates. In the last iteration the best one comes
            first; the order of the others means nothing.
        actions: (k, H, A), in [-1, 1].
        inside: whether they meet (5). If not, no candidate does, and they come closest to it.
        feasible: whether they meet (5) and (6). If not, no candidate does.
        within: whether any of them would meet (5) at another delta_S.
    """

    index: Tensor
    actions: Tensor
    inside: bool
    feasible: bool
    within: Callable[[float], bool]


@dataclass(frozen=True)
class Judgement:
    """What there is to say about one candidate.

    Attributes:
        imagined: (H, d), the means of z_{t+1..t+H} over the particles.
        safe_probability: the left side of (5).
        constraint_probability: the left side of (6), the largest over all constraints.
        score: the objective (2).
    """

    imagined: Tensor
    safe_probability: float
    constraint_probability: float
    score: float


class Selector(Protocol):
    """Finds the elites among candidates, given the present latent."""

    def elites(
        self,
        start: Tensor,
        candidates: Tensor,
        delta_safe: float,
        generator: Generator,
        *,
        final: bool = True,
    ) -> Elites:
        """The best feasible ones of `candidates` (N, H, A) in [-1, 1].

        If no candidate is feasible, the elites are those inside the safe set (5) that violate (6)
        least. If none is inside, they are those with the highest mean f_S.

        Args:
            start: (2, d), mean and standard deviation of z_t.
            candidates: sequences of actions.
            delta_safe: delta_S.
            generator: the source of all random numbers.
            final: whether this is the last iteration; then the first elite must be the best one.
        """
        ...

    def look_at(self, actions: Tensor, delta_safe: float) -> Judgement:
        """Judge one candidate (H, A) again, with the draws of the last call of `elites`."""
        ...


class CrossEntropyPlanner:
    """Receding-horizon planner; keeps the last solution to start the next one from."""

    def __init__(
        self,
        bundle: Bundle,
        config: PlannerConfig,
        selector: Selector,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        """device: where to compute; the selector computes there too."""
        self.config, self.device = config, torch.device(device)
        self.generator = Generator(device).manual_seed(seed)
        self.selector = selector
        self.latent_dim = bundle.config.latent_dim
        self._low = torch.tensor(bundle.action_low)
        self._high = torch.tensor(bundle.action_high)
        self._previous: tuple[Tensor, Tensor] | None = None

    def reset(self, seed: int | None = None) -> None:
        """See `Planner`."""
        self._previous = None
        if seed is not None:
            self.generator.manual_seed(seed)

    def memory(self) -> np.ndarray | None:
        """See `Planner`: (2, H, A), mean and standard deviation of the last elites."""
        return None if self._previous is None else torch.stack(self._previous).cpu().numpy()

    def recall(self, memory: np.ndarray | None, seed: int) -> None:
        """See `Planner`.

        Raises:
            DataError: the memory has another shape.
        """
        shape = (2, self.config.horizon, len(self._low))
        if memory is not None and np.shape(memory) != shape:
            raise DataError(f"a memory of shape {np.shape(memory)}, {shape} is due")
        self.reset(seed)
        if memory is not None:
            mean, std = torch.as_tensor(np.asarray(memory, np.float32), device=self.device)
            self._previous = mean, std

    @torch.no_grad()
    def plan(self, mean: np.ndarray, std: np.ndarray) -> Plan:
        """See `Planner`."""
        started = time.perf_counter()
        for array in (mean, std):
            if np.shape(array) != (self.latent_dim,) or not np.isfinite(array).all():
                raise DataError(
                    f"a latent of {np.shape(array)} values, {self.latent_dim} finite ones are due"
                )
        start = torch.as_tensor(np.asarray([mean, std], dtype=np.float32), device=self.device)
        levels = [
            self.config.delta_safe * self.config.relaxation**k
            for k in range(self.config.max_relaxations + 1)
        ]
        relaxations, delta_safe = 0, levels[0]
        elites = self._optimise(start, delta_safe)
        while not elites.inside:
            # the next level that the search reached; a search at those between would be in vain
            reached = (k for k, delta in enumerate(levels) if elites.within(delta))
            relaxations = max(relaxations + 1, next(reached, len(levels)))
            if relaxations >= len(levels):
                relaxations, delta_safe = len(levels) - 1, levels[-1]
                break
            delta_safe = levels[relaxations]
            elites = self._optimise(start, delta_safe)
        if elites.feasible:
            return self._found(elites.actions[0], delta_safe, relaxations, started)
        self._previous = None
        horizon, actions = self.config.horizon, len(self._low)
        return Plan(
            feasible=False,
            action=np.zeros(actions, np.float32),
            action_sequence=np.zeros((horizon, actions), np.float32),
            imagined=np.zeros((horizon, self.latent_dim), np.float32),
            safe_probability=0.0,
            constraint_probability=1.0,
            value=float("-inf"),
            delta_safe=delta_safe,
            relaxations=relaxations,
            solve_time_s=time.perf_counter() - started,
        )

    def _optimise(self, start: Tensor, delta_safe: float) -> Elites:
        """One run of the cross-entropy method at a fixed delta_S: the last elites, best first.

        The search goes for the safe set first, then away from the obstacle, then for the
        objective, each as soon as any candidate allows it. Where no candidate is inside the safe
        set at the end, delta_S has to be lowered; where some are inside but violate (6), the
        obstacle is the cause, and a lower delta_S would not cure it.
        """
        cost = self.config.cost
        candidates = self._first_candidates()
        for remaining in reversed(range(cost.iterations)):
            elites = self.selector.elites(
                start, candidates, delta_safe, self.generator, final=not remaining
            )
            mean = elites.actions.mean(dim=0)
            std = elites.actions.std(dim=0, correction=0).clamp(min=self.config.std_floor)
            if remaining:
                noise = self._randn(candidates.shape)
                candidates = (mean + std * noise).clamp(-1, 1)
        self._previous = (mean, std)
        return elites

    def _first_candidates(self) -> Tensor:
        """(N, H, A): a share p_random uniform, the rest from the last solution."""
        config = self.config
        shape = (config.cost.candidates, config.horizon, len(self._low))
        candidates = 2 * torch.rand(shape, generator=self.generator, device=self.device) - 1
        if self._previous is not None:
            remembered = shape[0] - round(config.random_share * shape[0])
            mean, std = self._previous
            noise = self._randn((remembered, *shape[1:]))
            candidates[:remembered] = (mean + std * noise).clamp(-1, 1)
        return candidates

    def _randn(self, shape: Sequence[int]) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def _advance(self) -> None:
        """Move the last solution on by the step that is about to be executed."""
        assert self._previous is not None
        mean, std = (torch.cat((x[1:], x[-1:])) for x in self._previous)
        self._previous = (mean, std)

    def _found(self, best: Tensor, delta_safe: float, relaxations: int, started: float) -> Plan:
        self._advance()
        judgement = self.selector.look_at(best, delta_safe)
        sequence = self._low + (best.cpu() + 1) / 2 * (self._high - self._low)
        return Plan(
            feasible=True,
            action=sequence[0].numpy().copy(),
            action_sequence=sequence.numpy(),
            imagined=judgement.imagined.cpu().numpy(),
            safe_probability=judgement.safe_probability,
            constraint_probability=judgement.constraint_probability,
            value=judgement.score,
            delta_safe=delta_safe,
            relaxations=relaxations,
            solve_time_s=time.perf_counter() - started,
        )
