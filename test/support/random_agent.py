"""An agent that is nothing like LS3: no encoder, no planner, an update after every step.

It acts at random around a mean action, which drifts towards actions that were taken before. That is
of no use but for tests: everything about it (noise, draws from what it has seen, momentum) decides
its next step, so that a loop which forgets any of it ends at another mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tiny_runs
import torch
from torch import Generator, Tensor

from ls3_common.errors import DataError
from ls3_common.parameters import parameter
from ls3_models import checkpoint
from ls3_models.agent import AgentKind, NonFiniteLoss, ObservedStep, TrainingStage
from ls3_models.offline_data import OfflineData, Spec

FILE = "random.safetensors"


@dataclass(frozen=True, kw_only=True)
class RandomConfig:
    """Section `random_agent` of a domain's YAML."""

    spread: float = parameter(low=0, high=1, description="noise, in half action ranges")
    rate: float = parameter(0.1, description="step size of the mean")
    warm_up: int = parameter(8, low=0, description="gradient steps on the offline data")


class MeanPolicy:
    """The mean action, and noise around it where there is a generator."""

    def __init__(
        self, mean: Tensor, spec: Spec, spread: float = 0.0, generator: Generator | None = None
    ) -> None:
        self.mean, self.spread, self.generator = mean, spread, generator
        self.low, self.high = np.array(spec.action_low), np.array(spec.action_high)
        self.clipped = 0

    def begin(self, seed: int) -> None:
        self.clipped = 0

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        action = self.mean.clone()
        if self.generator is not None:
            action += self.spread * torch.randn(action.shape, generator=self.generator)
        self.clipped += int((action.abs() > 1).any())
        scaled = (action.clamp(-1, 1).numpy() + 1) / 2
        return (self.low + scaled * (self.high - self.low)).astype(np.float32)

    def record(self) -> dict[str, int]:
        return {"clipped": self.clipped}


class RandomAgent:
    """See `ls3_models.agent.Agent`."""

    name = "random"
    update_after: Literal["step"] = "step"
    checkpoint_interval = 3
    counted = ("clipped",)
    online_settings: Mapping[str, Any] = {}

    def __init__(self, config: RandomConfig, data: OfflineData, seed: int) -> None:
        self.config, self.data = config, data
        self.generator = Generator().manual_seed(seed)
        self.mean = torch.zeros(len(data.spec.action_low))
        self.momentum = torch.zeros_like(self.mean)
        self.stages = {"warm_up": config.warm_up} if config.warm_up else {}
        self.offline_settings = {"random_agent": config}
        self.seen: list[Tensor] = []
        self._policy = self._exploring()

    def stage(self, name: str) -> TrainingStage:
        assert name == "warm_up"
        actions = [self._scaled(a) for episode in self.data.training for a in episode.actions]
        return TrainingStage(
            lambda: self._towards(actions), lambda: {"held_out/mean": float(self.mean.mean())}
        )

    def begin(self, seed: int) -> None:
        self._policy = self._exploring()

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        return self._policy.act(observation, info)

    def record(self) -> dict[str, int]:
        return self._policy.record()

    def observe(self, step: ObservedStep) -> None:
        self.seen.append(self._scaled(step.action) * (1 + step.t) / 100)

    def update(self) -> dict[str, float]:
        return self._towards(self.seen)

    def save(self, path: Path, manifest: Mapping[str, Any]) -> None:
        description = {"domain": self.data.spec.domain, **manifest}
        checkpoint.save(path / FILE, {"mean": self.mean}, description)

    def state(self) -> dict[str, Tensor]:
        return {
            "mean": self.mean.clone(),
            "momentum": self.momentum.clone(),
            "generator": self.generator.get_state(),
        }

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        self.mean, self.momentum = tensors["mean"].clone(), tensors["momentum"].clone()
        self.generator.set_state(tensors["generator"])
        self.seen = []

    def _exploring(self) -> MeanPolicy:
        return MeanPolicy(self.mean, self.data.spec, self.config.spread, self.generator)

    def _towards(self, actions: list[Tensor]) -> dict[str, float]:
        """A step of the mean towards one of these actions, with momentum."""
        drawn = actions[int(torch.randint(len(actions), (), generator=self.generator))]
        error = drawn - self.mean
        if not torch.isfinite(error).all():
            raise NonFiniteLoss("the loss of 'mean' is not finite")
        self.momentum = 0.9 * self.momentum + error
        self.mean += self.config.rate * self.momentum
        return {"mean": float(error.square().mean())}

    def _scaled(self, action: np.ndarray) -> Tensor:
        low, high = (np.array(bound) for bound in self._bounds())
        return torch.from_numpy((2 * (action - low) / (high - low) - 1).astype(np.float32))

    def _bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.data.spec.action_low, self.data.spec.action_high


def _load(path: Path, settings: Mapping[str, Any], spec: Spec) -> MeanPolicy:
    tensors, description = checkpoint.load(path / FILE)
    if description["domain"] != spec.domain:
        raise DataError(f"a model of '{description['domain']}'", where=str(path))
    return MeanPolicy(tensors["mean"], spec)


KIND = AgentKind(
    sections={"random_agent": RandomConfig},
    make=lambda settings, data, seed: RandomAgent(settings["random_agent"], data, seed),
    load=_load,
)


def write_config(path: Path) -> Path:
    """The tiny navigation domain, with the section of this agent."""
    tiny_runs.write_config(path)
    with path.open("a") as file:
        file.write("\n/**/random_agent:\n  ros__parameters:\n    spread: 0.5\n")
    return path
