"""SACfD with learned recovery zones (section 7.1.3): Recovery RL around SACfD.

The paper takes its reference 56 (github.com/abalakrishna123/recovery-rl) and names gamma_risk and
eps_risk only. Ours is the model-free recovery policy (docs/decisions/learning.md, record 215).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.seeds import seed_of
from ls3_models.agent import ObservedStep
from ls3_models.comparisons.agent import ALL
from ls3_models.comparisons.config import RecoveryConfig, SacfdConfig
from ls3_models.comparisons.networks import GaussianPolicy, Trunk, TwinCritic, follow, initialise
from ls3_models.comparisons.perception import Perception
from ls3_models.comparisons.replay import Batch
from ls3_models.comparisons.sacfd import Sacfd, SacfdTraining


class SacfdRrl(Sacfd):
    """SACfD as the task policy, a critic of risk Q_risk, and a policy that lowers the risk.

    The parts share nothing but the batches' frames: a trunk and a random generator of its own leave
    the task policy as it would be without recovery, to the last bit, where the gate stays shut.
    """

    def __init__(
        self,
        config: SacfdConfig,
        recovery: RecoveryConfig,
        trunk: Callable[[], Trunk],
        action_dim: int,
        seed: int,
    ) -> None:
        """Make untrained networks; see `Sacfd`."""
        super().__init__(config, trunk, action_dim, seed)
        self.recovery_config = recovery
        own_seed = seed_of(seed, "recovery")
        with torch.random.fork_rng():
            torch.manual_seed(own_seed)
            self.risk_trunk = trunk()
            size, hidden = self.risk_trunk.size, config.hidden
            self.risk = TwinCritic(size, action_dim, hidden)
            self.recovery = GaussianPolicy((size, hidden, hidden, action_dim))
            initialise(self.risk)
            initialise(self.recovery)
        self.target_risk_trunk = copy.deepcopy(self.risk_trunk).requires_grad_(False)
        self.target_risk = copy.deepcopy(self.risk).requires_grad_(False)
        self.networks |= {"risk_trunk": self.risk_trunk, "risk": self.risk}
        self.networks |= {"recovery": self.recovery}
        self.networks |= {"target_risk_trunk": self.target_risk_trunk}
        self.networks |= {"target_risk": self.target_risk}
        self.risk_generator = Generator().manual_seed(own_seed)
        self.generators["risk"] = self.risk_generator
        for name, weights in {
            "risk": [*self.risk_trunk.parameters(), *self.risk.parameters()],
            "recovery": list(self.recovery.parameters()),
        }.items():
            self.optimisers[name] = torch.optim.Adam(weights, lr=config.learning_rate, fused=True)

    def risk_step(self, batch: Batch) -> dict[str, float]:
        """Make one gradient step of Q_risk, then of the recovery policy on the same batch.

        Raises:
            NonFiniteLoss: a loss is not finite.
        """
        target = self.risk_target(batch)
        features = self.risk_trunk(batch.observations)
        values = torch.sigmoid(self.risk(features, batch.actions))  # (2, row)
        risk = (values - target).square().mean(dim=1).sum()
        self.descend("risk", risk)
        follow(self.target_risk_trunk, self.risk_trunk, self.recovery_config.tau_risk)
        follow(self.target_risk, self.risk, self.recovery_config.tau_risk)
        features = features.detach()
        actions = self.recovery.sample(features, self.risk_generator)
        recovery = torch.sigmoid(self.risk(features, actions)).amax(dim=0).mean()
        self.descend("recovery", recovery)
        return {"risk": float(risk.detach()), "recovery": float(recovery.detach())}

    @torch.no_grad()
    def risk_target(self, batch: Batch) -> Tensor:
        """Return c + (1 - c) (1 - goal) gamma_risk max_i Q'_risk,i(s', a') (row,).

        a' is drawn from the task policy. Frozen steps violate again and again: without (1 - c)
        the target would reach 1 + gamma_risk, beyond a sigmoid.
        """
        features = self.trunk(batch.next_observations)
        actions, _ = self.actor.sample(features, self.risk_generator)
        slow = self.target_risk_trunk(batch.next_observations)
        ahead = torch.sigmoid(self.target_risk(slow, actions)).amax(dim=0)
        goes_on = (1 - batch.constraint) * (1 - batch.arrives)
        return batch.constraint + goes_on * self.recovery_config.gamma_risk * ahead

    @torch.no_grad()
    def recover(
        self, observations: Tensor, proposed: Tensor, generator: Generator
    ) -> Tensor | None:
        """Return the recovery policy's action (1, A) if the proposed one (1, A) is too risky.

        The action is drawn with `generator`, in evaluation too, and is not bounded.
        """
        features = self.risk_trunk(observations)
        risk = torch.sigmoid(self.risk(features, proposed)).amax()
        if risk > self.recovery_config.eps_risk:
            return self.recovery.sample(features, generator)
        return None


class SacfdRrlAgent(SacfdTraining[SacfdRrl]):
    """SACfD+RRL on the seam.

    The task policy learns from the actions that it proposed, with what the executed ones led to.
    Q_risk learns from the executed actions, on all of D.
    """

    counted = ("recoveries",)
    learns_from: Mapping[str, Sequence[str]] = {**SacfdTraining.learns_from, "risk": ALL}
    _proposed: list[np.ndarray]
    acts_with = (*SacfdTraining.acts_with, "risk_trunk", "risk", "recovery")

    def make_rule(self, perception: Perception) -> SacfdRrl:
        """See `ComparisonAgent`."""
        recovery = self.offline_settings["sacfd_rrl"]
        return SacfdRrl(self.config, recovery, perception.trunk, self.action_dim, self.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """The stages with their gradient steps; Q_risk needs the clone's actions."""
        steps = self.offline_settings["sacfd_rrl"].risk_steps
        return {
            "cloning": self.config.cloning_steps,
            "risk": steps,
            "critic": self.config.critic_steps,
        }

    def offline_step(self, stage: str) -> dict[str, float]:
        """Make one gradient step of a stage."""
        return self._risk_step() if stage == "risk" else super().offline_step(stage)

    def update(self) -> dict[str, float]:
        """Make one update of SACfD, then one of Q_risk and the recovery policy."""
        return super().update() | self._risk_step()

    def _risk_step(self) -> dict[str, float]:
        batch = self.draw(self.config.batch_size, self.rule.risk_generator, "risk")
        return self.rule.risk_step(batch)

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Act as SACfD, and keep what the task policy proposed."""
        action = super().act(observation, info)
        self._proposed.append(self._policy.proposed)
        return action

    def action_for(self, replay: str, step: ObservedStep) -> np.ndarray:
        """Return the proposed action for the task's replay, the executed one for that of risk."""
        return self._proposed[self.observed] if replay == "task" else step.action

    def state(self) -> dict[str, Tensor]:
        """Return the rule's state, and the proposed actions: episodes hold the executed ones."""
        proposed = np.array(self._proposed, np.float32).reshape(-1, self.action_dim)
        return {**super().state(), "proposed": torch.from_numpy(proposed)}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore `state`."""
        super().load_state(tensors)
        self._proposed = list(tensors["proposed"].numpy().copy())

    def _forget(self) -> None:
        super()._forget()
        self._proposed = []
