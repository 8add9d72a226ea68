"""The terms of the objective (2): of which few the whole can be predicted.

Eq. (2) averages over particles and, in V, over the members of an ensemble. Candidates share the
draws of a particle (`rollout.Draws`), and members learn the same function. Both therefore shift the
scores of all candidates mostly alike, and a linear function of a few terms predicts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ls3_models.heads import Head, Role
from ls3_planner.rollout import Networks, heads_in, says

Vector = NDArray[np.float64]

RIDGE = 0.02  # of the sum of squares of a term


@dataclass(frozen=True)
class Term:
    """What one network says about one particle, or what a head says about all its steps.

    particle: of the rollouts. member: of the head's ensemble; None: the mean over all, summed over
    z_{t+1..t+H-1}. work: evaluations of a network that it takes.
    """

    head: Head
    particle: int
    member: int | None
    work: int

    def __call__(self, networks: Networks, trajectory: Tensor, index: Tensor) -> Tensor:
        """Evaluate it for candidates `index` (m,) of trajectories (H, P, n, d): (m,)."""
        own = trajectory[:, self.particle]
        if self.member is None:
            return says(networks, self.head, own[:-1].index_select(1, index)).sum(dim=0)
        latents = own[-1].index_select(0, index)
        outputs = networks.read(self.head.name, latents, self.member)
        return self.head.activation(outputs)[0]


def all_terms(networks: Networks, trajectory: Tensor) -> tuple[list[Term], Vector, Vector]:
    """Return all terms, their values (term, n) and the scores that they make up (n,)."""
    horizon, particles, count = trajectory.shape[:3]
    terms: list[Term] = []
    values: list[Vector] = []
    score = np.zeros(count)
    for head in heads_in(networks, Role.TERMINAL_VALUE):
        outputs = head.activation(networks.read(head.name, trajectory[-1]))
        found = outputs.double().cpu().numpy()  # (member, particle, n)
        terms += [Term(head, p, m, 1) for m in range(len(found)) for p in range(particles)]
        values.append(found.reshape(-1, count))
        score += found.mean(axis=(0, 1))
    if horizon > 1:
        for head in heads_in(networks, Role.STEP_REWARD):
            outputs = head.activation(networks.read(head.name, trajectory[:-1]))
            found = outputs.double().cpu().numpy()  # (member, step, particle, n)
            work = len(found) * (horizon - 1)
            terms += [Term(head, p, None, work) for p in range(particles)]
            values.append(found.mean(axis=0).sum(axis=0))
            score += values[-1].mean(axis=0)
    return terms, np.concatenate([np.empty((0, count)), *values]), score


@dataclass(frozen=True)
class Prediction:
    """A prediction of scores: `offset` plus `weight` (k,) times the terms at places `chosen`."""

    chosen: Sequence[int]
    weight: Vector
    offset: float

    def __call__(self, values: Vector) -> Vector:
        """Predict (n,) by the values (term, n) of all terms."""
        return self.offset + self.weight @ values[list(self.chosen)]


def fit(terms: Sequence[Term], values: Vector, target: Vector, budget: int) -> Prediction:
    """Choose terms that explain `target` (n,) by matching pursuit, and fit their weights.

    Each next term is the one that explains most of the rest, for its work.

    Args:
        terms: the terms.
        values: (term, n).
        target: (n,).
        budget: evaluations of a network that the chosen terms may take together.
    """
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    gram, due = centred @ centred.T, centred @ (target - target.mean())
    power = gram.diagonal() + 1e-12
    work = np.array([term.work for term in terms])
    rest, chosen, weight = due, list[int](), np.zeros(0)
    while True:
        gain = rest**2 / (power * work)
        gain[work > budget] = 0
        gain[chosen] = 0
        best = int(gain.argmax())
        if not gain[best] > 0:
            return Prediction(chosen, weight, float(target.mean() - weight @ mean[chosen]))
        chosen.append(best)
        budget -= int(work[best])
        own = gram[np.ix_(chosen, chosen)] + np.diag(RIDGE * power[chosen] + 1e-9)
        weight = np.linalg.solve(own, due[chosen])
        rest = due - gram[:, chosen] @ weight


def error(terms: Sequence[Term], values: Vector, target: Vector, budget: int) -> float:
    """Measure the error of `fit`: fit either half of the candidates, and predict the other."""
    squares = []
    for own in (0, 1):
        ours, other = slice(own, None, 2), slice(1 - own, None, 2)
        found = fit(terms, values[:, ours], target[ours], budget)
        squares.append(np.square(found(values[:, other]) - target[other]).mean())
    return float(np.sqrt(np.mean(squares)))
