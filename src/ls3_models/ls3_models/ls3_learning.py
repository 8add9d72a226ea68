"""The learning of LS3, without its planner: the stages, and the data that each learns from.

The gradient steps themselves stand in `learner`. `ls3.learning.ls3_agent` adds the planner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common import parameters
from ls3_common.seeds import seed_of
from ls3_models.agent import NonFiniteLoss, ObservedStep, TrainingStage, episode_of
from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.learner import Learner
from ls3_models.networks import check_image
from ls3_models.offline_data import OfflineData, Spec
from ls3_models.replay import Replay
from ls3_models.validation import Validation

STAGES = {"vae": "vae_iterations", "heads": "offline_iterations"}
"""The stages in their order, each with the parameter that gives its number of gradient steps."""


def stage_totals(learner: Mapping[str, Any]) -> dict[str, int]:
    """Return the gradient steps of every stage, given the parameters of a `LearnerConfig`."""
    return {stage: int(learner[name]) for stage, name in STAGES.items()}


def make_replay(
    learner: Learner, spec: Spec, episodes: Sequence[Episode], *, copies: int = 0
) -> Replay:
    """Make a replay of `episodes` and of `copies` of each in other views (`views`).

    Each frame of each view is encoded once.
    """
    replay = Replay(learner.config, torch.tensor(spec.action_low), torch.tensor(spec.action_high))
    for episode in episodes:
        _add(replay, learner, episode, copies)
    return replay


def _add(replay: Replay, learner: Learner, episode: Episode, copies: int) -> None:
    frames = torch.from_numpy(episode.observations)
    replay.add(episode, *learner.encode(frames))
    for _ in range(copies):
        # the same view whenever an interrupted run reads the episode again
        seed = seed_of(learner.seed, "view", len(replay))
        replay.add(episode, *learner.encode(frames, view=Generator().manual_seed(seed)))


def stayed_at_goal(episode: Episode, steps: int) -> Episode:
    """Return an episode that ended at the goal as it would have gone on at rest (section 5.2).

    Nothing moves where no action does, and every further step would be paid 0. Other episodes are
    returned as they are.
    """
    if not steps or not episode.arrivals[-1]:
        return episode

    def more(values: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.concatenate((values, np.repeat(last[None], steps, axis=0)))

    return replace(
        episode,
        observations=more(episode.observations, episode.observations[-1]),
        actions=more(episode.actions, np.zeros_like(episode.actions[-1])),
        rewards=more(episode.rewards, np.zeros_like(episode.rewards[-1])),
        constraint=more(episode.constraint, np.array(False)),
        success=more(episode.success, np.array(True)),
    )


class Ls3Learning:
    """Trains the VAE on all offline frames, then dynamics and heads on the frames' latents.

    Online, D grows by whole episodes, because only the end of an episode decides the labels of the
    safe set and the returns for V. For the methods see `ls3_models.agent.Agent`.
    """

    name = "ls3"
    update_after: Literal["phase"] = "phase"

    def __init__(self, config: LearnerConfig, data: OfflineData, seed: int) -> None:
        self.config, self.data = config, data
        check_image(*data.spec.observation_shape[:2])
        channels, actions = data.spec.observation_shape[2], len(data.spec.action_low)
        self.learner = Learner(config, channels, actions, seed)
        self.stages = stage_totals(parameters.to_dict(config))
        self.checkpoint_interval = config.checkpoint_interval
        self.offline_settings: Mapping[str, Any] = {"config": config}
        self._replay: Replay | None = None
        self._steps: list[ObservedStep] = []

    @property
    def replay(self) -> Replay:
        """D as latents of the present encoder. The VAE must have been trained."""
        if self._replay is None:
            self._replay = make_replay(
                self.learner, self.data.spec, self.data.training, copies=self.config.views.copies
            )
        return self._replay

    def stage(self, name: str) -> TrainingStage:
        """Begin a stage. The VAE's picture shows held-out images above their reconstructions."""
        learner, spec = self.learner, self.data.spec
        validation = Validation(learner, spec.domain, self.data.held_out)
        if name == "vae":
            images = np.concatenate([e.observations for e in self.data.training])
            frames, size = torch.from_numpy(images), (self.config.vae_batch_size,)

            def vae_step() -> dict[str, float]:
                drawn = torch.randint(len(frames), size, generator=learner.generator)
                return learner.vae_step(frames[drawn])

            pictures = {"reconstructions": validation.reconstructions}
            return TrainingStage(vae_step, lambda: validation.measure(name), pictures)
        replay = self.replay
        validation.replay = make_replay(learner, spec, self.data.held_out)

        def step() -> dict[str, float]:
            return learner.head_step(replay) | learner.value_step(replay, monte_carlo=True)

        return TrainingStage(step, lambda: validation.measure(name))

    def observe(self, step: ObservedStep) -> None:
        """Keep a step; at the last step of an episode add the whole episode to D."""
        if step.t == 0:
            self._steps = []
        self._steps.append(step)
        if step.ended:
            episode = episode_of(self._steps, source="online", seed=0)
            episode = stayed_at_goal(episode, self.config.steps_at_goal)
            _add(self.replay, self.learner, episode, self.config.views.copies)
            self._steps = []

    def update(self) -> dict[str, float]:
        """Train dynamics and all heads except V, then V on TD-1 targets (line 10).

        Returns:
            The last losses by name.

        Raises:
            NonFiniteLoss: a loss is not finite; the text names the module and the step.
        """
        heads, losses = self.config.update_iterations, dict[str, float]()
        for step in range(heads + self.config.value_update_iterations):
            try:
                if step < heads:
                    losses = self.learner.head_step(self.replay)
                else:
                    losses |= self.learner.value_step(self.replay, monte_carlo=False)
            except NonFiniteLoss as error:
                raise NonFiniteLoss(f"{error.what} at step {step + 1}") from None
        return losses

    def state(self) -> dict[str, Tensor]:
        """Return the learner's state. D is not included: the loop observes its episodes again."""
        return self.learner.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore `state`, and reset D to the offline data."""
        self.learner.load_state(tensors)
        self._replay, self._steps = None, []
