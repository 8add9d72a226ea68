"""The heads, functions of a latent: V, f_S, f_C and f_G of the paper (sections 4.2, 4.3).

Each head is one record, a `Head`. The learner, the validation, the maps and the planners use the
list of a model's heads, without naming any of them. To add a head, add its record to `HEADS`, and
its name to the parameter ``learner.heads`` of the models that shall have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ls3_common.errors import ConfigError

if TYPE_CHECKING:
    from ls3_models.batches import Transitions
    from ls3_models.config import LearnerConfig
    from ls3_models.episodes import Episode


class Role(Enum):
    """The latents of a plan at which a planner evaluates a head, and the equation they enter."""

    STEP_REWARD = "the sum over z_{t+1..t+H-1} in the objective (2)"
    TERMINAL_VALUE = "z_{t+H}, in the objective (2)"
    TERMINAL_CONSTRAINT = "z_{t+H}, in constraint (5): the head is at least delta_S"
    STEP_CONSTRAINT = "z_{t+1..t+H}, in constraint (6): the head is at most delta_C"


class TrainingData(Enum):
    """The data that a head learns from."""

    FRAMES = "all frames of D"
    TRANSITIONS = "all transitions of D"
    ON_POLICY = "transitions of demonstrations and online episodes"


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits and probabilities of the same shape."""
    return functional.binary_cross_entropy_with_logits(output, target)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of tensors of the same shape."""
    return (output - target).square().mean()


def identity(output: Tensor) -> Tensor:
    """Return the output unchanged, for heads that are not probabilities."""
    return output


def recall(probability: Tensor, label: Tensor) -> dict[str, float]:
    """The shares of positive rows and of negative rows (row,) that are classified as positive."""
    positive, found = label > 0.5, (probability > 0.5).float()
    return {
        "recall": float(found[positive].mean()),
        "false_alarm": float(found[~positive].mean()),
    }


def means(probability: Tensor, label: Tensor) -> dict[str, float]:
    """The mean probability of the rows (row,) inside a set and of those outside."""
    return {
        "mean_inside": float(probability[label > 0.5].mean()),
        "mean_outside": float(probability[label < 0.5].mean()),
    }


def rms_error(number: Tensor, label: Tensor) -> dict[str, float]:
    """The root of the mean squared difference of numbers and labels (row,)."""
    return {"rms_error": float((number - label).square().mean().sqrt())}


def one_member(_config: LearnerConfig) -> int:
    """A single network instead of an ensemble."""
    return 1


@dataclass(frozen=True)
class Head:
    """One network, or an ensemble of networks, that maps a latent to one number.

    Attributes:
        name: names the head's parameters, losses and measurements.
        title: names the head in figures, with the paper's symbol.
        role: the latents at which a planner evaluates the head.
        data: the data that the head learns from.
        label: computes the label of each frame of an episode of T steps (T + 1,). If `data` is not
            FRAMES, it computes the label of each transition (T,).
        target: for a head that is defined recursively. Computes what the head learns from a batch
            of transitions, their labels, and the numbers that a lagged copy of the head gives for
            z', each (member, row). None: the head learns its label.
        loss: of the networks' outputs and the targets, each (member, row).
        activation: turns the networks' outputs into the head's number, of any shape.
        members: the number of networks in the ensemble.
        imagined: the target for latents that the dynamics imagine and that resemble no frame;
            ``learner.imagined_weight`` is their weight in the loss. None: the head sees no such
            latents.
        delta: the head's own bound in (6), if its role is STEP_CONSTRAINT. None: delta_C of the
            planner.
        measure: named figures that compare the head's numbers for held-out rows (row,) with their
            labels (row,).
    """

    name: str
    title: str
    role: Role
    data: TrainingData
    label: Callable[[Episode, LearnerConfig], np.ndarray]
    target: Callable[[Transitions, Tensor, Tensor, LearnerConfig], Tensor] | None = None
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    activation: Callable[[Tensor], Tensor] = torch.sigmoid
    members: Callable[[LearnerConfig], int] = one_member
    imagined: float | None = None
    delta: float | None = None
    measure: Callable[[Tensor, Tensor], dict[str, float]] = recall

    def bound(self, delta_constraint: float) -> float:
        """The right side of (6): `delta`, or the planner's delta_C if the head has none."""
        return delta_constraint if self.delta is None else self.delta


# -- V ------------------------------------------------------------------------------------------


def discounted_returns(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """Monte-Carlo return from each s_t (T,), eq. (9): sum over k of gamma^k r_{t+k}.

    The paper's sum begins at gamma^1; a constant factor gamma would make it differ from the fixed
    point of the TD target (10), so both use r_t undiscounted.
    """
    returns = np.zeros(len(rewards), dtype=np.float32)
    running = 0.0
    for step in reversed(range(len(rewards))):
        running = float(rewards[step]) + gamma * running
        returns[step] = running
    return returns


def _returns(episode: Episode, config: LearnerConfig) -> np.ndarray:
    return discounted_returns(episode.rewards, config.gamma)


def _temporal_difference(
    batch: Transitions, _label: Tensor, ahead: Tensor, config: LearnerConfig
) -> Tensor:
    """Equation (10), with V = 0 in the goal.

    No reward is paid beyond the goal. The last frame of an episode that ends at the goal begins no
    transition, so that V is not trained there; without the 0 its arbitrary value would spread to
    the steps before. The paper does not say so: `LearnerConfig.goal_ends` switches the 0 off.
    """
    goes_on = 1 - batch.arrives if config.goal_ends else torch.ones_like(batch.arrives)
    return batch.rewards + config.gamma * goes_on * ahead


def _value_members(config: LearnerConfig) -> int:
    return config.value_members


# -- f_S ----------------------------------------------------------------------------------------


def safe_set_labels(episode: Episode) -> np.ndarray:
    """1_S (T,): whether s_t lies on a successful trajectory, before its last arrival in G.

    An arrival after a violation does not count, see `Episode.arrivals`.
    """
    labels = np.zeros(len(episode), dtype=bool)
    if episode.succeeded:
        labels[: len(episode) - int(np.argmax(episode.arrivals[::-1]))] = True
    return labels


def _in_safe_set(episode: Episode, _config: LearnerConfig) -> np.ndarray:
    return safe_set_labels(episode)


def _recursive_safety(
    _batch: Transitions, in_safe_set: Tensor, ahead: Tensor, config: LearnerConfig
) -> Tensor:
    """Equation (11)."""
    return torch.maximum(in_safe_set, config.gamma_safe * ahead)


# -- f_C and f_G --------------------------------------------------------------------------------


def _violates(episode: Episode, _config: LearnerConfig) -> np.ndarray:
    return np.concatenate(([False], episode.constraint))  # s_0 violates nothing


def _in_goal(episode: Episode, _config: LearnerConfig) -> np.ndarray:
    return np.concatenate(([False], episode.arrivals))  # s_0 is not in the goal


HEADS = {
    head.name: head
    for head in (
        Head(
            "value",
            "value V",
            Role.TERMINAL_VALUE,
            TrainingData.ON_POLICY,
            _returns,
            target=_temporal_difference,
            loss=squared_error,
            activation=identity,
            members=_value_members,
            measure=rms_error,
        ),
        Head(
            "safe",
            "safe set f_S",
            Role.TERMINAL_CONSTRAINT,
            TrainingData.TRANSITIONS,
            _in_safe_set,
            target=_recursive_safety,
            imagined=0.0,
            measure=means,
        ),
        Head("constraint", "constraint f_C", Role.STEP_CONSTRAINT, TrainingData.FRAMES, _violates),
        Head("goal", "goal f_G", Role.STEP_REWARD, TrainingData.FRAMES, _in_goal),
    )
}


def heads_of(config: LearnerConfig) -> tuple[Head, ...]:
    """Return the records of the heads that ``config.heads`` names, in that order.

    Raises:
        ConfigError: a name is not in `HEADS`, or is listed twice.
    """
    names: Sequence[str] = config.heads
    for name in names:
        if name not in HEADS or names.count(name) > 1:
            fault = "is listed twice" if name in HEADS else "is not a head"
            raise ConfigError(
                f"'{name}' {fault}",
                where="learner.heads",
                do=f"name each of these at most once: {', '.join(HEADS)}",
            )
    return tuple(HEADS[name] for name in names)
