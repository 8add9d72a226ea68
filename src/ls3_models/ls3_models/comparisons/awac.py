"""AWAC: advantage weighted actor-critic, offline on all of D, then online (section 7.1.4).

The paper takes the defaults of its reference 57 (github.com/hari-sikchi/AWAC). What it leaves open
stands in docs/decisions/learning.md, record 216.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from ls3_models.comparisons.agent import ComparisonAgent
from ls3_models.comparisons.config import AwacConfig
from ls3_models.comparisons.networks import GaussianPolicy, ImageTrunk, Trunk, TwinCritic, follow
from ls3_models.comparisons.perception import Perception
from ls3_models.comparisons.replay import Batch
from ls3_models.comparisons.update_rule import UpdateRule

LOG_STD_BOUNDS = (-6.0, 0.0)
"""Bounds of the policy's log-std, in half action ranges; in reference 57 in the action's unit."""


class Awac(UpdateRule):
    """The networks of AWAC and every gradient step. Actions are in [-1, 1].

    The critic's loss trains the trunk, and the policy gets its features without gradient, as in
    `sacfd`.
    """

    def __init__(
        self, config: AwacConfig, trunk: Callable[[], Trunk], action_dim: int, seed: int
    ) -> None:
        """Make untrained networks; see `ls3_models.comparisons.sacfd.Sacfd`."""
        super().__init__()
        self.config = config
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.trunk = trunk()
            sizes = (self.trunk.size, *[config.hidden] * 4, action_dim)
            self.actor = GaussianPolicy(sizes, bounds=LOG_STD_BOUNDS)
            self.critic = TwinCritic(self.trunk.size, action_dim, config.hidden)
        self.target_trunk = copy.deepcopy(self.trunk).requires_grad_(False)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.networks |= {"trunk": self.trunk, "actor": self.actor, "critic": self.critic}
        self.networks |= {"target_trunk": self.target_trunk, "target_critic": self.target_critic}
        self.generator = Generator().manual_seed(seed)
        self.generators["task"] = self.generator
        rate, decay = config.learning_rate, config.weight_decay
        critic = [*self.trunk.parameters(), *self.critic.parameters()]
        self.optimisers |= {
            "critic": torch.optim.Adam(critic, lr=rate, fused=True),
            "actor": torch.optim.Adam(
                self.actor.parameters(), lr=rate, weight_decay=decay, fused=True
            ),
        }

    def update(self, batch: Batch) -> dict[str, float]:
        """Make one gradient step of the critic, then of the policy; the targets follow.

        Raises:
            NonFiniteLoss: a loss is not finite.
        """
        target = self.target(batch)
        features = self.trunk(batch.observations)
        critic = (self.critic(features, batch.actions) - target).square().mean(dim=1).sum()
        self.descend("critic", critic)
        actor = self.actor_loss(features.detach(), batch.actions)
        self.descend("actor", actor)
        follow(self.target_trunk, self.trunk, self.config.tau)
        follow(self.target_critic, self.critic, self.config.tau)
        return {"critic": float(critic.detach()), "actor": float(actor.detach())}

    @torch.no_grad()
    def target(self, batch: Batch) -> Tensor:
        """Return r + lambda c + gamma (1 - goal) min_i Q'_i(s', a') (row,), a' from the policy."""
        actions = self.actor.sample(self.trunk(batch.next_observations), self.generator)
        values = self.target_critic(self.target_trunk(batch.next_observations), actions)
        rewards = batch.rewards + self.config.penalty * batch.constraint
        return rewards + self.config.gamma * (1 - batch.arrives) * values.amin(dim=0)

    def actor_loss(self, features: Tensor, actions: Tensor) -> Tensor:
        """Return minus the mean log-density of the batch's actions, weighted by advantages."""
        with torch.no_grad():
            drawn = self.actor.sample(features, self.generator)
            value = self.critic(features, drawn).amin(dim=0)
            weights = self.advantage_weights(self.critic(features, actions).amin(dim=0) - value)
        return -(weights * self.actor.log_density(features, actions)).mean()

    def advantage_weights(self, advantages: Tensor) -> Tensor:
        """Return the weights (row,) of a batch by its advantages (row,); their mean is 1."""
        return len(advantages) * torch.softmax(advantages / self.config.beta, dim=0)

    @torch.no_grad()
    def act(self, observations: Tensor, generator: Generator | None) -> Tensor:
        """Return actions (row, A): drawn with `generator`, or the greedy ones without."""
        features = self.trunk(observations)
        if generator is None:
            return self.actor.greedy(features)
        return self.actor.sample(features, generator)


class AwacAgent(ComparisonAgent[Awac, AwacConfig]):
    """AWAC on the seam: updates on all of D, then an update after every step."""

    def make_rule(self, perception: Perception) -> Awac:
        """See `ComparisonAgent`."""
        return Awac(self.config, perception.trunk, self.action_dim, self.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """The stage with its gradient steps."""
        return {"offline": self.config.offline_steps}

    def offline_step(self, stage: str) -> dict[str, float]:
        """Make one gradient step of the only stage."""
        return self.update()

    def update(self) -> dict[str, float]:
        """Make one update of critic and policy; see `Awac.update`."""
        of_images = isinstance(self.rule.trunk, ImageTrunk)
        rows = self.config.image_batch_size if of_images else self.config.batch_size
        return self.rule.update(self.draw(rows, self.rule.generator))
