"""Acts by an update rule: in training with noise, in evaluation without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.seeds import seed_of
from ls3_models.comparisons.replay import Frames
from ls3_models.comparisons.update_rule import UpdateRule
from ls3_models.offline_data import Spec


class ActionScale:
    """The domain's actions as multiples in [-1, 1] of half their range."""

    def __init__(self, spec: Spec) -> None:
        self._low = np.array(spec.action_low, np.float32)
        self._span = np.array(spec.action_high, np.float32) - self._low

    def inside(self, actions: np.ndarray) -> Tensor:
        """Return actions (..., A) of the domain's unit in [-1, 1]."""
        scaled = 2 * (actions - self._low) / self._span - 1
        return torch.from_numpy(np.asarray(scaled, np.float32)).clamp(-1, 1)

    def outside(self, actions: Tensor) -> np.ndarray:
        """Return actions (..., A), clipped to [-1, 1], in the domain's unit: float32 (..., A)."""
        share = (actions.clamp(-1, 1).numpy() + 1) / 2
        return np.asarray(self._low + share * self._span, np.float32)


class ComparisonPolicy:
    """Acts by an update rule; see `ls3_models.agent.Policy`.

    proposed: the task policy's last action, float32 (A,), in the domain's unit.
    """

    def __init__(
        self,
        rule: UpdateRule,
        frames: Frames,
        spec: Spec,
        *,
        explores: bool,
        counted: Sequence[str],
    ) -> None:
        """Make a policy.

        Args:
            rule: gives the actions, and may replace them (`recover`).
            frames: prepares observations.
            spec: bounds of the actions.
            explores: whether actions are drawn instead of being the greedy ones.
            counted: names of the counts in `record`: `recoveries`, if the rule recovers.
        """
        self._rule, self._frames, self._scale = rule, frames, ActionScale(spec)
        self._explores, self._counted = explores, counted
        self._task, self._recovery = Generator(), Generator()
        self._recoveries = 0
        self.proposed = np.zeros(len(spec.action_low), np.float32)

    def begin(self, seed: int) -> None:
        """See `Policy`."""
        self._task.manual_seed(seed)
        self._recovery.manual_seed(seed_of(seed, "recovery"))
        self._recoveries = 0

    def act(
        self, observation: np.ndarray, info: Mapping[str, Any], *, at_random: bool = False
    ) -> np.ndarray:
        """Choose an action; see `Policy`.

        Steps after a violation are no exception: the references act on the frozen state, and learn
        from it.

        Args:
            observation: uint8 (h, w, c).
            info: not used.
            at_random: whether the task policy is replaced by uniformly random actions.
        """
        seen = self._frames.now(observation)
        generator = self._task if self._explores else None
        action = self._rule.act(seen, generator)
        if at_random:
            action = 2 * torch.rand(action.shape, generator=self._task) - 1
        self.proposed = self._scale.outside(action[0])
        instead = self._rule.recover(seen, action.clamp(-1, 1), self._recovery)
        if instead is None:
            return self.proposed
        self._recoveries += 1
        return self._scale.outside(instead[0])

    def record(self) -> dict[str, int]:
        """Return `recoveries`, the steps that the recovery policy took over, if there is one."""
        return dict.fromkeys(self._counted, self._recoveries)
