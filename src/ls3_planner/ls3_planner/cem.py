"""Planning (section 4.4): the cross-entropy method under the two chance constraints.

Shapes: N candidates, P particles, H horizon, A action, d latent. Actions are in [-1, 1] inside.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.errors import DataError
from ls3_models.bundle import Bundle
from ls3_models.heads import Role
from ls3_planner.config import PlannerConfig
from ls3_planner.judge import AT_ONCE, Choice, Judgement, choose, passing
from ls3_planner.plan import Plan
from ls3_planner.rollout import inside, margin, membership
from ls3_planner.sampling import SEARCHES
from ls3_planner.shortfall import Shortfall, shortfall


@dataclass(frozen=True)
class Elites:
    """The k candidates that the Gaussian is refitted to.

    Attributes:
        index: (k,), their places among the candidates; in the last iteration best first.
        actions: (k, H, A), in [-1, 1].
        inside: whether they meet (5). If not, no candidate does, and they come closest to it.
        feasible: whether they meet (5) and (6). If not, no candidate does.
        levels: (P, k), f_S(z_{t+H}).
        excess: (k,), see `rollout.excess`; -inf without constraints.
    """

    index: Tensor
    actions: Tensor
    inside: bool
    feasible: bool
    levels: Tensor
    excess: Tensor


class Selector(Protocol):
    """Finds the elites among candidates, given the present latent."""

    def draw(self, start: Tensor, horizon: int, particles: int, generator: Generator) -> None:
        """Draw the particles that judge candidates from now on.

        Args:
            start: (2, d), mean and standard deviation of z_t.
            horizon: H.
            particles: P.
            generator: the source of all random numbers.
        """
        ...

    def elites(self, candidates: Tensor, delta_safe: float, *, final: bool = True) -> Elites:
        """The best feasible ones of `candidates` (N, H, A) in [-1, 1].

        If no candidate is feasible, the elites are those inside the safe set (5) that violate (6)
        least. If none is inside, they are those with the highest mean f_S.

        Args:
            candidates: sequences of actions.
            delta_safe: delta_S.
            final: whether this is the last iteration; then the best elites must come first.
        """
        ...

    def judge(self, actions: Tensor) -> Judgement:
        """Judge candidates (n, H, A) in [-1, 1], in float32 and with every particle."""
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
        self._sampler = SEARCHES[config.search](config, len(self._low), self.generator)
        self._bounds = [
            head.bound(config.delta_constraint)
            for head in bundle.models.head_list
            if head.role is Role.STEP_CONSTRAINT
        ]
        self.holds = 0

    def reset(self, seed: int | None = None) -> None:
        """See `Planner`."""
        self._sampler.memory, self.holds = None, 0
        if seed is not None:
            self.generator.manual_seed(seed)

    def memory(self) -> np.ndarray | None:
        """See `Planner`: (m, H, A), see `sampling.Gaussian`."""
        memory = self._sampler.memory
        return None if memory is None else memory.cpu().numpy()

    def recall(self, memory: np.ndarray | None, seed: int, holds: int = 0) -> None:
        """See `Planner`.

        Raises:
            DataError: the memory has another shape.
        """
        shape = (self.config.horizon, len(self._low))
        if memory is not None:
            most = 2 + self.config.cost.candidates
            found = np.shape(memory)
            if len(found) != 3 or found[1:] != shape or not 2 <= found[0] <= most:
                raise DataError(
                    f"a memory of shape {found}, (2 to {most}, {shape[0]}, {shape[1]}) is due"
                )
        self.reset(seed)
        self.holds = holds
        if memory is not None:
            self._sampler.memory = torch.as_tensor(
                np.asarray(memory, np.float32), device=self.device
            )

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
        found, delta_safe, relaxations = self._search(start, self.config.levels(self.holds))
        if isinstance(found, Shortfall):
            self._sampler.memory = None
            self.holds += 1
            return self._none(found, delta_safe, relaxations, started)
        self._sampler.advance()
        self.holds = 0
        return self._plan(found, delta_safe, relaxations, started)

    def _search(
        self, start: Tensor, levels: Sequence[float]
    ) -> tuple[Choice | Shortfall, float, int]:
        """Search at delta_S, and at the next level that is in reach for as long as nothing passes.

        Returns:
            The plan, or why there is none; delta_S in force; its place in `levels`.
        """
        relaxations, judged = 0, list[Judgement]()
        while True:
            delta_safe = levels[relaxations]
            elites, shortlist = self._optimise(start, delta_safe)
            for begin in range(0, len(shortlist), AT_ONCE):
                self._draw(start, self.config.cost.fresh_particles)
                judged.append(self.selector.judge(shortlist[begin : begin + AT_ONCE]))
                ranked = elites.feasible and not begin
                found = choose(judged[-1], delta_safe, self.config, ranked=ranked)
                if found is not None:
                    return found, delta_safe, relaxations
            # what an earlier search found may pass at this level
            kept = [one for j in judged if (one := choose(j, delta_safe, self.config)) is not None]
            if kept:
                return max(kept, key=lambda one: one.score), delta_safe, relaxations
            # the next level that the search reached; a search at those between would be in vain
            reached = (
                k
                for k in range(relaxations + 1, len(levels))
                if self._in_reach(elites, judged, levels[k])
            )
            following = next(reached, None)
            if following is None:
                if not elites.inside:
                    relaxations = len(levels) - 1
                delta_safe = levels[relaxations]
                return self._lacks(elites, judged, delta_safe), delta_safe, relaxations
            relaxations = following

    def _lacks(self, elites: Elites, judged: Sequence[Judgement], delta_safe: float) -> Shortfall:
        """What the best lacks: of those that fresh particles judged, or else of the elites."""
        if judged:
            return shortfall(judged, delta_safe, self.config, self._bounds, sure=True)
        # by the particles of the last iteration, which made the elites what they are
        found = dataclasses.replace(
            self.selector.judge(elites.actions), levels=elites.levels, excess=elites.excess
        )
        return shortfall([found], delta_safe, self.config, self._bounds, sure=False)

    def _in_reach(self, elites: Elites, judged: Sequence[Judgement], delta_safe: float) -> bool:
        """Whether a plan may be found at a lower delta_S."""
        if not elites.inside and bool(inside(elites.levels, delta_safe, self.config).any()):
            return True
        return any(bool(passing(one, delta_safe, self.config).any()) for one in judged)

    def _optimise(self, start: Tensor, delta_safe: float) -> tuple[Elites, Tensor]:
        """One run of the cross-entropy method at a fixed delta_S.

        The search goes for the safe set first, then away from the obstacle, then for the
        objective, each as soon as any candidate allows it. Where no candidate is inside the safe
        set at the end, delta_S has to be lowered; where some are inside but violate (6), the
        obstacle is the cause, and a lower delta_S would not cure it.

        Returns:
            The last elites, and the candidates (n, H, A) to be judged, best first.
        """
        cost = self.config.cost
        candidates = self._sampler.first()
        every = list[Elites]()
        for remaining in reversed(range(cost.iterations)):
            self._draw(start, cost.particles)
            elites = self.selector.elites(candidates, delta_safe, final=not remaining)
            every.append(elites)
            self._sampler.refit(elites.actions)
            if remaining:
                candidates = self._sampler.following()
        return elites, self._shortlist(every, delta_safe)

    def _shortlist(self, every: Sequence[Elites], delta_safe: float) -> Tensor:
        """What is to be judged (n, H, A), of the elites of every iteration.

        The best of the last iteration come first. They lie where (5) or (6) stops the search, so
        that fresh particles may refuse all of them; those follow that met (5) and (6) by the
        largest margin, in whichever iteration: what passed in an earlier one is not lost.
        """
        feasible = [elites for elites in reversed(every) if elites.feasible]
        if not feasible:
            return every[-1].actions[:0]
        actions = torch.cat([elites.actions for elites in feasible])
        levels = torch.cat([elites.levels for elites in feasible], dim=1)
        excess = torch.cat([elites.excess for elites in feasible])
        # few particles tie: among equal margins the highest mean f_S comes first
        order = levels.mean(dim=0).argsort(descending=True, stable=True)
        least = margin(levels, excess, delta_safe, self.config)[order]
        order = order[least.argsort(descending=True, stable=True)]
        best = min(AT_ONCE, len(order)) if every[-1].feasible else 0
        order = torch.cat((torch.arange(best, device=order.device), order[order >= best]))
        return actions[order[: self.config.cost.judged]]

    def _draw(self, start: Tensor, particles: int) -> None:
        self.selector.draw(start, self.config.horizon, particles, self.generator)

    def _plan(self, found: Choice, delta_safe: float, relaxations: int, started: float) -> Plan:
        judged, place = found.judgement, found.candidate
        sequence = self._low + (judged.actions[place].cpu() + 1) / 2 * (self._high - self._low)
        share = membership(judged.levels, delta_safe, self.config)[place]
        return Plan(
            feasible=True,
            action=sequence[0].numpy().copy(),
            action_sequence=sequence.numpy(),
            imagined=judged.imagined[place].cpu().numpy(),
            safe_probability=float(share),
            constraint_probability=float(judged.constraint_probability[place].nan_to_num(nan=1.0)),
            value=found.score,
            delta_safe=delta_safe,
            relaxations=relaxations,
            solve_time_s=time.perf_counter() - started,
        )

    def _none(self, lacks: Shortfall, delta_safe: float, relaxations: int, started: float) -> Plan:
        horizon, actions = self.config.horizon, len(self._low)
        return Plan(
            feasible=False,
            action=np.zeros(actions, np.float32),
            action_sequence=np.zeros((horizon, actions), np.float32),
            imagined=np.zeros((horizon, self.latent_dim), np.float32),
            safe_probability=lacks.safe_probability,
            constraint_probability=lacks.constraint_probability,
            value=float("-inf"),
            delta_safe=delta_safe,
            relaxations=relaxations,
            solve_time_s=time.perf_counter() - started,
            reason=lacks.reason,
        )
