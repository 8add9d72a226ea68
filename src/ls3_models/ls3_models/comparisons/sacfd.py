"""SACfD: soft actor-critic that begins with demonstrations (section 7.1.2).

The paper takes the defaults of its reference 55 (github.com/pranz24/pytorch-soft-actor-critic), and
adds a behaviour clone and a critic from D_demos. What it leaves open stands in
docs/decisions/learning.md, records 211 to 214.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from ls3_models.comparisons.agent import ComparisonAgent
from ls3_models.comparisons.config import SacfdConfig
from ls3_models.comparisons.networks import (
    SquashedGaussian,
    Trunk,
    TwinCritic,
    VectorTrunk,
    follow,
    initialise,
)
from ls3_models.comparisons.perception import Perception
from ls3_models.comparisons.replay import Batch
from ls3_models.comparisons.update_rule import UpdateRule


class Sacfd(UpdateRule):
    """The networks of SACfD and every gradient step. Actions are in [-1, 1].

    One trunk serves actor and critic, as in DrQ: the critic's loss trains the trunk, the actor gets
    its features without gradient, and a slow copy serves the targets.
    """

    def __init__(
        self, config: SacfdConfig, trunk: Callable[[], Trunk], action_dim: int, seed: int
    ) -> None:
        """Make untrained networks.

        Args:
            config: the settings.
            trunk: makes a trunk of the observations.
            action_dim: A.
            seed: decides the first weights, and every draw of the learning.
        """
        super().__init__()
        self.config = config
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.trunk = trunk()
            self.actor = SquashedGaussian(self.trunk.size, action_dim, config.hidden)
            self.critic = TwinCritic(self.trunk.size, action_dim, config.hidden)
            initialise(self.actor)
            initialise(self.critic)
        self.target_trunk = copy.deepcopy(self.trunk).requires_grad_(False)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.networks |= {"trunk": self.trunk, "actor": self.actor, "critic": self.critic}
        self.networks |= {"target_trunk": self.target_trunk, "target_critic": self.target_critic}
        self.generator = Generator().manual_seed(seed)
        self.generators["task"] = self.generator
        trunk_weights = list(self.trunk.parameters())
        for name, weights in {
            "cloning": [*trunk_weights, *self.actor.parameters()],
            "critic": [*trunk_weights, *self.critic.parameters()],
            "actor": list(self.actor.parameters()),
        }.items():
            self.optimisers[name] = torch.optim.Adam(weights, lr=config.learning_rate, fused=True)

    # -- before the first episode, on D_demos ---------------------------------------------------

    def cloning_step(self, batch: Batch) -> dict[str, float]:
        """Make one gradient step of the behaviour clone: of trunk and the policy's mean.

        Raises:
            NonFiniteLoss: the loss is not finite.
        """
        loss = self.cloning_loss(self.trunk(batch.observations), batch.actions)
        self.descend("cloning", loss)
        return {"cloning": float(loss.detach())}

    def offline_step(self, batch: Batch) -> dict[str, float]:
        """Make one Bellman backup of the critic under the clone.

        A trunk that learns would move the features under the clone. The clone then follows, so that
        it remains the clone; no other part of the actor learns here.

        Raises:
            NonFiniteLoss: a loss is not finite.
        """
        loss, features = self.critic_step(batch)
        losses = {"critic": loss}
        if not isinstance(self.trunk, VectorTrunk):
            cloning = self.cloning_loss(features, batch.actions)
            self.descend("actor", cloning)
            losses["cloning"] = float(cloning.detach())
        return losses

    def cloning_loss(self, features: Tensor, actions: Tensor) -> Tensor:
        """Return the mean squared error of the greedy actions; sigma has no part in it."""
        return functional.mse_loss(self.actor.greedy(features), actions)

    # -- every step -----------------------------------------------------------------------------

    def update(self, batch: Batch) -> dict[str, float]:
        """Make one gradient step of the critic, then of the actor.

        Raises:
            NonFiniteLoss: a loss is not finite.
        """
        critic, features = self.critic_step(batch)
        actor = self.actor_loss(features)
        self.descend("actor", actor)
        return {"critic": critic, "actor": float(actor.detach())}

    def critic_step(self, batch: Batch) -> tuple[float, Tensor]:
        """Make one gradient step of trunk and critic, after which the targets follow.

        Returns:
            The loss, and the features (row, F) of s_t before the step, without gradient.

        Raises:
            NonFiniteLoss: the loss is not finite.
        """
        target = self.target(batch)
        features = self.trunk(batch.observations)
        loss = self.critic_loss(features, batch.actions, target)
        self.descend("critic", loss)
        follow(self.target_trunk, self.trunk, self.config.tau)
        follow(self.target_critic, self.critic, self.config.tau)
        return float(loss.detach()), features.detach()

    @torch.no_grad()
    def target(self, batch: Batch) -> Tensor:
        """Return r + lambda c + gamma (1 - goal) (min_i Q'_i(s', a') - alpha log pi(a'|s')) (row,).

        a' is drawn from the present actor. The goal ends an episode, the time limit T does not.
        """
        config = self.config
        actions, log_density = self.actor.sample(
            self.trunk(batch.next_observations), self.generator
        )
        values = self.target_critic(self.target_trunk(batch.next_observations), actions)
        ahead = values.amin(dim=0) - config.alpha * log_density
        rewards = batch.rewards + config.penalty * batch.constraint
        return rewards + config.gamma * (1 - batch.arrives) * ahead

    def critic_loss(self, features: Tensor, actions: Tensor, target: Tensor) -> Tensor:
        """Return the sum of both critics' mean squared errors."""
        values = self.critic(features, actions)  # (2, row)
        return (values - target).square().mean(dim=1).sum()

    def actor_loss(self, features: Tensor) -> Tensor:
        """Return the mean of alpha log pi(a|s) - min_i Q_i(s, a), with a drawn anew."""
        actions, log_density = self.actor.sample(features, self.generator)
        values = self.critic(features, actions).amin(dim=0)
        return (self.config.alpha * log_density - values).mean()

    # -- acting ---------------------------------------------------------------------------------

    @torch.no_grad()
    def act(self, observations: Tensor, generator: Generator | None) -> Tensor:
        """Return actions (row, A): drawn with `generator`, or the greedy ones without."""
        features = self.trunk(observations)
        if generator is None:
            return self.actor.greedy(features)
        return self.actor.sample(features, generator)[0]


RuleT = TypeVar("RuleT", bound=Sacfd)


class SacfdTraining(ComparisonAgent[RuleT, SacfdConfig]):
    """The order of learning: first the clone, then its critic, then an update after every step."""

    learns_from: Mapping[str, Sequence[str]] = {"task": ("demonstration",)}

    @property
    def stages(self) -> Mapping[str, int]:
        """The stages with their gradient steps."""
        return {"cloning": self.config.cloning_steps, "critic": self.config.critic_steps}

    def offline_step(self, stage: str) -> dict[str, float]:
        """Make one gradient step of a stage."""
        batch = self.draw(self.config.batch_size, self.rule.generator)
        return (
            self.rule.cloning_step(batch) if stage == "cloning" else self.rule.offline_step(batch)
        )

    def update(self) -> dict[str, float]:
        """Make one update of critic and actor on D_demos and all online steps."""
        return self.rule.update(self.draw(self.config.batch_size, self.rule.generator))

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Choose an action; the first `start_steps` of them are uniformly random."""
        at_random = self.observed < self.config.start_steps
        return self._policy.act(observation, info, at_random=at_random)


class SacfdAgent(SacfdTraining[Sacfd]):
    """SACfD on the seam."""

    def make_rule(self, perception: Perception) -> Sacfd:
        """See `ComparisonAgent`."""
        return Sacfd(self.config, perception.trunk, self.action_dim, self.seed)
