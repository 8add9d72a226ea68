"""What Algorithm 1 asks of an agent, whichever method it learns by.

`ls3_models.offline` runs lines 1 and 2 of the algorithm and `ls3.learning.algorithm` lines 3 to
10. They keep files, curves, checkpoints and the time that is left. They know of an agent what
stands here and nothing else. An agent is one file: a class with the methods of `Agent`, and an
`AgentKind` that `ls3.runs.methods` names.
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
    """A loss became NaN or infinite; names the module."""

    exit_code = 1

    def __init__(self, what: str) -> None:
        super().__init__(what, do="lower the rate, or go on from there")


@dataclass(frozen=True)
class ObservedStep:
    """One step of an episode: s_t, a_t, r_t, c_t and s_{t+1} of line 9.

    t: 0 for the first step of an episode; observation, next_observation: uint8 (h, w, c);
    action: float32 (A,), as it was executed, in the domain's unit; constraint, success: of
    `next_observation`; ended: whether this is the episode's last step.
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
    """The steps of an episode, as they were observed when it was run."""
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
    """The episode that consists of these steps, which must be at least one."""
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
            info: `constraint` and `success` of this observation; a policy looks at nothing else
                in it.

        Returns:
            float32 (A,) in the domain's unit and within its bounds. None holds still.
        """

    def record(self) -> Mapping[str, Any]:
        """What this policy has to say of the episode since `begin`, as JSON.

        Whole numbers are counts, lists of numbers are measurements. They stand in the episode's
        file. `ls3 evaluate` adds counts up and prints percentiles of measurements.
        """


@dataclass(frozen=True)
class TrainingStage:
    """One stage of an agent's offline training, with the data that only this stage needs.

    step: makes one gradient step and returns the losses by name. It raises NonFiniteLoss where one
    of them is not finite.
    measure: returns figures on held-out episodes by name. It changes nothing that `state` holds.
    pictures: by name, what draws uint8 (height, width, 3).
    """

    step: Callable[[], Mapping[str, float]]
    measure: Callable[[], Mapping[str, float]] = dict
    pictures: Mapping[str, Callable[[], np.ndarray]] = field(default_factory=dict)


class Trainable(Protocol):
    """What offline training asks of an agent (lines 1 and 2 of Algorithm 1)."""

    @property
    def name(self) -> str:
        """Of this kind of agent. It stands in checkpoints, so that no other agent goes on there."""

    @property
    def stages(self) -> Mapping[str, int]:
        """Names of the stages of offline training, in their order, with gradient steps of each."""

    @property
    def checkpoint_interval(self) -> int:
        """Gradient steps of a stage between two checkpoints."""

    @property
    def offline_settings(self) -> Mapping[str, Any]:
        """Configurations (dataclasses) that decide offline training, by names for checkpoints.

        A run that was begun with others is refused.
        """

    def stage(self, name: str) -> TrainingStage:
        """Begin a stage, or go on with it where `load_state` has left it."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything that decides the next step, as named tensors: weights, targets, the state of
        optimisers and random generators, counters.

        Observed steps need not be in it. What else an agent knows of a step has to be: an action
        that it proposed where another was executed, for instance.
        """

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a `state`, and forget all steps that were observed.

        The loop then calls `observe` once more for every step that had been observed when the
        state was taken, in the same order. After that the agent must act and learn as if it had
        never been away, to the last bit on the same machine with the same number of threads. The
        loop takes states between the gradient steps of a stage, and between episodes. Where a run
        was killed inside an episode, the loop runs this episode once more from the state before
        it.

        Raises:
            KeyError, RuntimeError, ValueError: a tensor is missing or has another shape.
        """


class Agent(Policy, Trainable, Protocol):
    """What learns online (lines 3 to 10 of Algorithm 1). `act` explores.

    Observations are images. An agent may encode them by networks of its own, which it trains, or
    by an encoder that is frozen: the loop does not know.
    """

    @property
    def update_after(self) -> Literal["step", "phase"]:
        """When `update` is called: after every step, or after a phase of K episodes."""

    @property
    def online_settings(self) -> Mapping[str, Any]:
        """Configurations that decide online learning beyond `offline_settings`, likewise."""

    @property
    def counted(self) -> Sequence[str]:
        """Counts of `record` that the learning curve shows."""

    def observe(self, step: ObservedStep) -> None:
        """Add a step of an online episode to D (line 9).

        Steps come in their order, each episode's up to one that `ended`. The arrays stay as they
        are and may be kept.
        """

    def update(self) -> Mapping[str, float]:
        """Learn from D (line 10) and return the last losses by name.

        Raises:
            NonFiniteLoss: a loss is not finite; names the module.
        """

    def save(self, path: Path, manifest: Mapping[str, Any]) -> None:
        """Write what has been learned into directory `path`, for `AgentKind.load`.

        `manifest` is JSON that says how it came to be, to be kept beside it.
        """


@dataclass(frozen=True)
class TakenOver:
    """What an agent has taken over from elsewhere instead of training it.

    stages: those that are done by it; seconds: of training that are saved by it; curves: points
    of the curves that were logged there.
    """

    stages: Sequence[str]
    seconds: float
    curves: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class AgentKind:
    """How the commands make an agent, and a policy of what an agent has saved.

    sections: the sections of a domain's YAML that the agent reads, with their dataclasses.
    make: makes an untrained agent of its configurations by section, its data and a seed.
    load: reads a directory that the agent's `save` has written, for a domain, and makes the policy
    that does not explore. It raises DataError where the directory is damaged or of another domain.
    shipped: whether the models that come with this repository are of this kind.
    take_over: has an untrained agent take over what another run or model (a directory) has
    trained, given the identity of the agent's own training. It raises DataError where that does
    not fit. None: nothing can be taken over.
    """

    sections: Mapping[str, type]
    make: Callable[[Mapping[str, Any], OfflineData, int], Agent]
    load: Callable[[Path, Mapping[str, Any], Spec], Policy]
    shipped: bool = False
    take_over: Callable[[Any, Path, Mapping[str, Any]], TakenOver] | None = None
