"""The protocol between Algorithm 1 and an agent, for every method of learning.

`ls3_models.offline` runs lines 1 and 2 of the algorithm, and `ls3.learning.algorithm` lines 3 to
10. They keep the files, curves, checkpoints and remaining time, and use no part of an agent that is
not declared here. An agent is one file: a class with the methods of `Agent`, and an `AgentKind`
that `ls3.runs.methods` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor

from ls3_common.errors import UserError
from ls3_models.episodes import Episode
from ls3_models.offline_data import OfflineData, Spec


class NonFiniteLoss(UserError):
    """A loss became NaN or infinite; `what` names the module and the step."""

    exit_code = 1

    def __init__(self, what: str) -> None:
        super().__init__(what, do="begin a new run with a lower learning rate")


@dataclass(frozen=True)
class ObservedStep:
    """One step of an episode: s_t, a_t, r_t, c_t and s_{t+1} of line 9.

    Attributes:
        t: number of the step in its episode, from 0.
        observation: s_t, uint8 (h, w, c).
        action: a_t, float32 (A,), as executed, in the domain's unit.
        reward: r_t.
        constraint: whether `next_observation` violates a constraint.
        success: whether `next_observation` is in the goal.
        next_observation: s_{t+1}, uint8 (h, w, c).
        ended: whether this is the episode's last step.
    """

    t: int
    observation: np.ndarray
    action: np.ndarray
    reward: float
    constraint: bool
    success: bool
    next_observation: np.ndarray
    ended: bool


def steps_of(episode: Episode) -> Iterator[ObservedStep]:
    """Yield the steps of an episode, in their order."""
    last = len(episode) - 1
    for t in range(len(episode)):
        yield ObservedStep(
            t=t,
            observation=episode.observations[t],
            action=episode.actions[t],
            reward=float(episode.rewards[t]),
            constraint=bool(episode.constraint[t]),
            success=bool(episode.success[t]),
            next_observation=episode.observations[t + 1],
            ended=t == last,
        )


def episode_of(steps: Sequence[ObservedStep], *, source: str, seed: int) -> Episode:
    """Make an episode of its steps, at least one; `source` and `seed` are those of `Episode`."""
    observations = [steps[0].observation, *(step.next_observation for step in steps)]
    return Episode(
        observations=np.stack(observations),
        actions=np.stack([step.action for step in steps]).astype(np.float32),
        rewards=np.array([step.reward for step in steps], np.float32),
        constraint=np.array([step.constraint for step in steps]),
        success=np.array([step.success for step in steps]),
        source=source,
        seed=seed,
    )


class Policy(Protocol):
    """Chooses actions, and keeps a record of each episode."""

    def begin(self, seed: int) -> None:
        """Begin an episode; `seed` decides every draw that acting makes in it."""

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray | None:
        """Choose the action a_t.

        Args:
            observation: uint8 (h, w, c).
            info: `constraint` and `success` of this observation. A policy must use nothing else
                in `info`.

        Returns:
            float32 (A,) in the domain's unit and within its bounds; None: do not move.
        """

    def record(self) -> Mapping[str, Any]:
        """Return this policy's statistics of the episode since `begin`, as JSON.

        Integers are counts, lists of numbers are measurements. The statistics are written into the
        episode's file. `ls3 evaluate` adds counts up and prints percentiles of measurements.
        """


@dataclass(frozen=True)
class TrainingStage:
    """One stage of an agent's offline training, with the data that only this stage needs.

    Attributes:
        step: makes one gradient step and returns the losses by name. Raises NonFiniteLoss if a loss
            is not finite.
        measure: returns named figures on held-out episodes, and leaves the agent's `state` as it
            is.
        pictures: functions by the picture's name; each draws a picture, uint8 (height, width, 3).
    """

    step: Callable[[], Mapping[str, float]]
    measure: Callable[[], Mapping[str, float]] = dict
    pictures: Mapping[str, Callable[[], np.ndarray]] = field(default_factory=dict)


class Trainable(Protocol):
    """The part of an agent that offline training uses (lines 1 and 2 of Algorithm 1)."""

    @property
    def name(self) -> str:
        """Name of this kind of agent. Its checkpoints keep the name; other kinds refuse them."""

    @property
    def stages(self) -> Mapping[str, int]:
        """The stages of offline training in their order, by name, with their gradient steps."""

    @property
    def checkpoint_interval(self) -> int:
        """Number of gradient steps between two checkpoints of a stage."""

    @property
    def offline_settings(self) -> Mapping[str, Any]:
        """Configurations (dataclasses) that decide offline training, by their names in checkpoints.

        A run that was begun with other configurations is not continued.
        """

    def stage(self, name: str) -> TrainingStage:
        """Begin a stage, or continue it after `load_state`."""

    def state(self) -> Mapping[str, Tensor]:
        """Return everything that decides the next step, as named tensors.

        These are weights, targets, counters, and the states of optimisers and random generators.
        Observed steps may be left out. Whatever else the agent remembers of a step must be
        included, such as a proposed action instead of which another was executed.
        """

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a `state`, and forget all steps that were observed.

        The loop then calls `observe` again for every step that had been observed when the state
        was taken, in the same order. After that the agent must act and learn as if it had not been
        interrupted, to the last bit on the same machine with the same number of threads. The loop
        takes states between the gradient steps of a stage, and between episodes. If a run was
        killed inside an episode, the loop runs that episode again from the state before it.

        Raises:
            KeyError, RuntimeError, ValueError: a tensor is missing or has another shape.
        """


class Agent(Policy, Trainable, Protocol):
    """An agent that learns online (lines 3 to 10 of Algorithm 1). `act` explores.

    Observations are images. An agent may encode the images with networks that it trains, or with a
    frozen encoder.
    """

    @property
    def update_after(self) -> Literal["step", "phase"]:
        """When `update` is called: after every step, or after a phase of K episodes."""

    @property
    def online_settings(self) -> Mapping[str, Any]:
        """Configurations that decide online learning, beyond `offline_settings` and of its form."""

    @property
    def counted(self) -> Sequence[str]:
        """Names of the counts in `record` that the learning curve shows."""

    def observe(self, step: ObservedStep) -> None:
        """Add a step of an online episode to D (line 9).

        Steps arrive in their order. The last step of an episode has `ended` set. The agent may keep
        the arrays, which nobody changes.
        """

    def update(self) -> Mapping[str, float]:
        """Learn from D (line 10) and return the last losses by name.

        Raises:
            NonFiniteLoss: a loss is not finite; the text names the module.
        """

    def save(self, path: Path, manifest: Mapping[str, Any]) -> None:
        """Write what has been learned into directory `path`, for `AgentKind.load`.

        `manifest`, which is JSON, describes the training and is kept beside the models.
        """


@dataclass(frozen=True)
class TakenOver:
    """The stages that an agent took over from another run or model instead of training them.

    Attributes:
        stages: the stages that are done by this.
        seconds: the training time that is saved (s).
        curves: the points of the curves that the other run logged.
    """

    stages: Sequence[str]
    seconds: float
    curves: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class AgentKind:
    """How the commands make an agent, and how they load a policy that an agent has saved.

    Attributes:
        sections: the sections of a domain's YAML that the agent reads, with their dataclasses.
        make: makes an untrained agent from its configurations by section, its data and a seed.
        load: reads a directory that the agent's `save` has written, and makes a policy that does
            not explore. Raises DataError if the directory is damaged or of another domain.
        shipped: whether the models that come with this repository are of this kind.
        take_over: lets an untrained agent take over what another run or model (a directory) has
            trained. The third argument is the identity of the agent's own training. Raises
            DataError if the two do not fit. None: this kind of agent cannot take over anything.
        needs_model: whether a training must begin by taking over from another run or model. By
            default this is the model that is shipped for the domain.
        acts_from_state: whether an agent that was made without any episodes, and then loaded the
            state of another one, acts as that one does. Its episodes can then run in processes
            that do not have the data (`ls3 learn --workers`).
    """

    sections: Mapping[str, type]
    make: Callable[[Mapping[str, Any], OfflineData, int], Agent]
    load: Callable[[Path, Mapping[str, Any], Spec], Policy]
    shipped: bool = False
    take_over: Callable[[Any, Path, Mapping[str, Any]], TakenOver] | None = None
    acts_from_state: bool = False
    needs_model: bool = False
