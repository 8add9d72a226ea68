"""What the comparisons share on the seam of Algorithm 1 (`ls3_models.agent`).

An agent remembers what it saw, draws batches, and gives them to its update rule. The rules stand in
`sacfd`, `sacfd_rrl` and `awac`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.errors import DataError
from ls3_models.agent import ObservedStep, TrainingStage
from ls3_models.comparisons import policy_file
from ls3_models.comparisons.config import ComparisonConfig
from ls3_models.comparisons.perception import Perception, of_latents
from ls3_models.comparisons.policy import ActionScale, ComparisonPolicy
from ls3_models.comparisons.replay import Batch, StepReplay
from ls3_models.comparisons.update_rule import UpdateRule
from ls3_models.episodes import Episode
from ls3_models.offline_data import OfflineData
from ls3_models.optimiser_state import part

RuleT = TypeVar("RuleT", bound=UpdateRule)
ConfigT = TypeVar("ConfigT", bound=ComparisonConfig)
ALL: tuple[str, ...] = ()
"""In `ComparisonAgent.learns_from`: episodes of every source."""


class ComparisonAgent(ABC, Generic[RuleT, ConfigT]):
    """An agent that updates after every step; see `ls3_models.agent.Agent`.

    Without a perception of its own an agent sees through the encoder that `see_through` or
    `load_state` brings, and has no networks before.

    Attributes:
        rule: the networks and their update.
        learns_from: the sources of the offline episodes in each replay, by the replay's name.
        acts_with: names of the networks that a policy consists of.
    """

    update_after: Literal["step"] = "step"
    online_settings: Mapping[str, Any] = {}
    counted: Sequence[str] = ()
    learns_from: Mapping[str, Sequence[str]] = {"task": ALL}
    acts_with: Sequence[str] = ("trunk", "actor")
    rule: RuleT

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        config: ConfigT,
        perception: Perception | None,
        data: OfflineData,
        seed: int,
    ) -> None:
        """Make an untrained agent.

        Args:
            name: name of the method.
            settings: all configurations, by section of the domain's YAML.
            config: that of the update rule.
            perception: how the agent sees; None: through an encoder that it will be given.
            data: the offline data.
            seed: decides the first weights, and every draw of the learning.
        """
        self.name, self.config, self.data, self.seed = name, config, data, seed
        self.offline_settings = settings
        self.checkpoint_interval = config.checkpoint_interval
        self.action_dim = len(data.spec.action_low)
        self._scale = ActionScale(data.spec)
        self._sees_latents = perception is None
        if perception is not None:
            self._see_with(perception)

    @abstractmethod
    def make_rule(self, perception: Perception) -> RuleT:
        """Return the untrained update rule of this agent."""

    @property
    @abstractmethod
    def stages(self) -> Mapping[str, int]:
        """The stages before the first episode, with their gradient steps."""

    @abstractmethod
    def offline_step(self, stage: str) -> dict[str, float]:
        """Make one gradient step of a stage."""

    @abstractmethod
    def update(self) -> dict[str, float]:
        """Make one update of everything; see `ls3_models.agent.Agent`."""

    # -- seeing and remembering -----------------------------------------------------------------

    def see_through(self, encoder: Mapping[str, Tensor]) -> None:
        """Make the networks of an agent that sees through a frozen encoder with these weights.

        Raises:
            KeyError, RuntimeError: a weight is missing or has another shape.
        """
        self._see_with(of_latents(encoder, self.config, self.data.spec))

    def _see_with(self, perception: Perception) -> None:
        self._perception = perception
        self.rule = self.make_rule(perception)
        self._forget()

    def _forget(self) -> None:
        """Forget all online steps; offline episodes are read when they are first needed."""
        self._frames = self._perception.frames()
        self._replays: dict[str, StepReplay] = {}
        self._violated = False
        self.observed = 0
        self._policy = self.policy(explores=True)

    def replay(self, name: str = "task") -> StepReplay:
        """Return a replay, with the offline episodes that `learns_from` names."""
        if not self._replays:
            self._replays = {key: StepReplay(self._frames) for key in self.learns_from}
            for episode in self.data.training:
                self._add_episode(episode)
        return self._replays[name]

    def _add_episode(self, episode: Episode) -> None:
        fitting = [
            self._replays[name]
            for name, sources in self.learns_from.items()
            if sources is ALL or episode.source in sources
        ]
        if not fitting:
            return
        first = len(self._frames)
        self._frames.extend(episode.observations)
        actions = self._scale.inside(episode.actions)
        for replay in fitting:
            replay.add(first, actions, episode.rewards, episode.constraint, episode.arrivals)

    def draw(self, rows: int, generator: Generator, name: str = "task") -> Batch:
        """Draw a batch from a replay."""
        return self.replay(name).draw(rows, generator)

    def action_for(self, replay: str, step: ObservedStep) -> np.ndarray:
        """Return the action (A,) that a replay keeps of a step, in the domain's unit."""
        return step.action

    def observe(self, step: ObservedStep) -> None:
        """See `ls3_models.agent.Agent`."""
        replays = [(name, self.replay(name)) for name in self.learns_from]
        if step.t == 0:
            self._frames.extend(step.observation[None])
            self._violated = False
        self._violated |= step.constraint
        first = len(self._frames) - 1
        self._frames.extend(step.next_observation[None])
        arrives = step.success and not self._violated
        for name, replay in replays:
            action = self._scale.inside(self.action_for(name, step)[None])
            replay.add(first, action, [step.reward], [step.constraint], [arrives])
        self.observed += 1

    # -- training before the first episode ------------------------------------------------------

    def stage(self, name: str) -> TrainingStage:
        """Begin a stage.

        Raises:
            DataError: the data have no episode for it.
        """
        for replay, sources in self.learns_from.items():
            if not len(self.replay(replay)):
                wanted = " or ".join(sources) or "episode"
                raise DataError(
                    f"no {wanted} among the {len(self.data.training)} episodes to learn from",
                    where=f"data of '{self.data.spec.domain}'",
                    do=f"method '{self.name}' begins with them: run `ls3 collect`",
                )
        return TrainingStage(lambda: self.offline_step(name), self._measure)

    def _measure(self) -> dict[str, float]:
        """Return the mean squared error of greedy actions on held-out demonstrations."""
        errors = []
        for episode in self.data.held_out:
            if episode.source == "demonstration":
                frames = self._perception.frames()
                frames.extend(episode.observations[:-1])
                everything = torch.arange(len(frames))
                greedy = self.rule.act(frames.draw(everything, Generator().manual_seed(0)), None)
                errors.append((greedy - self._scale.inside(episode.actions)).square().mean())
        return {"held_out/action_error": float(torch.stack(errors).mean())} if errors else {}

    # -- acting ---------------------------------------------------------------------------------

    def policy(self, *, explores: bool) -> ComparisonPolicy:
        """Return a policy with the present networks."""
        return ComparisonPolicy(
            self.rule, self._frames, self.data.spec, explores=explores, counted=self.counted
        )

    def begin(self, seed: int) -> None:
        """See `ls3_models.agent.Policy`."""
        self._policy.begin(seed)

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """See `ls3_models.agent.Policy`."""
        return self._policy.act(observation, info)

    def record(self) -> dict[str, int]:
        """See `ComparisonPolicy.record`."""
        return self._policy.record()

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """Return the rule's state, and the frozen encoder if there is one."""
        return self.rule.state() | self._encoder()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See `ls3_models.agent.Trainable`."""
        if self._sees_latents:
            self.see_through(part(tensors, "encoder"))
        self.rule.load_state(tensors)
        self._forget()

    def save(self, path: Path, manifest: Mapping[str, Any]) -> None:
        """Write what acts into directory `path`."""
        policy_file.write(
            path,
            self.rule.weights(self.acts_with) | self._encoder(),
            policy_file.Description(self.name, self.data.spec, self.offline_settings),
            manifest,
        )

    def load_policy(self, tensors: Mapping[str, Tensor]) -> ComparisonPolicy:
        """Return the greedy policy of what `save` has written.

        Raises:
            KeyError, RuntimeError: a tensor is missing or has another shape.
        """
        if self._sees_latents:
            self.see_through(part(tensors, "encoder"))
        self.rule.load_weights(self.acts_with, tensors)
        return self.policy(explores=False)

    def _encoder(self) -> dict[str, Tensor]:
        return {f"encoder.{name}": value for name, value in self._perception.encoder.items()}
