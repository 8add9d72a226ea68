"""All data D as latents: every frame is encoded once, every draw samples a fresh z (eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_models.episodes import Episode

ON_POLICY_SOURCES = ("demonstration", "online")


@dataclass(frozen=True)
class FrameBatch:
    """A batch of frames: z (..., d) and the labels of the same frames (...)."""

    latents: Tensor
    constraint: Tensor
    success: Tensor


@dataclass(frozen=True)
class Transitions:
    """A batch of transitions: z, z' (..., d), actions in [-1, 1] (..., A) and labels (...).

    arrives: whether z' is in the goal.
    """

    latents: Tensor
    next_latents: Tensor
    actions: Tensor
    rewards: Tensor
    arrives: Tensor
    in_safe_set: Tensor
    cost_to_go: Tensor


class Replay:
    """Grows by whole episodes; sampling is uniform over frames or transitions.

    Args:
        gamma: discount of the Monte-Carlo returns (eq. 9).
        action_low, action_high: bounds that are scaled to [-1, 1].
    """

    def __init__(self, gamma: float, action_low: Tensor, action_high: Tensor) -> None:
        self.gamma = gamma
        self.action_low, self.action_high = action_low, action_high
        self._parts: dict[str, list[Tensor]] = {}
        self._whole: dict[str, Tensor] = {}
        self._frames = 0

    def add(self, episode: Episode, mean: Tensor, std: Tensor) -> None:
        """Add one episode with the encodings of its T + 1 frames, each (T + 1, d)."""
        steps = len(episode)
        labels = torch.zeros(2, steps + 1, dtype=torch.bool)
        labels[0, 1:] = torch.from_numpy(episode.constraint)
        labels[1, 1:] = torch.from_numpy(episode.success)
        actions = torch.from_numpy(episode.actions)
        span = self.action_high - self.action_low
        on_policy = episode.source in ON_POLICY_SOURCES
        part = {
            "mean": mean,
            "std": std,
            "constraint": labels[0],
            "success": labels[1],
            "index": torch.arange(steps) + self._frames,
            "actions": 2 * (actions - self.action_low) / span - 1,
            "rewards": torch.from_numpy(episode.rewards),
            "arrives": labels[1, 1:],
            "in_safe_set": torch.from_numpy(safe_set_labels(episode)),
            "cost_to_go": torch.from_numpy(discounted_returns(episode.rewards, self.gamma)),
            "on_policy": torch.full((steps,), on_policy),
        }
        for name, values in part.items():
            self._parts.setdefault(name, []).append(values)
        self._frames += steps + 1
        self._whole = {}

    def __len__(self) -> int:
        """Number of frames."""
        return self._frames

    @property
    def nbytes(self) -> int:
        """Bytes of all latents and labels."""
        return sum(values.nbytes for parts in self._parts.values() for values in parts)

    def _get(self, name: str) -> Tensor:
        if name not in self._whole:
            joined = torch.cat(self._parts[name])
            self._parts[name] = [joined]
            self._whole[name] = joined
        return self._whole[name]

    def _latents(self, index: Tensor, generator: Generator) -> Tensor:
        mean = self._get("mean")[index]
        noise = torch.randn(mean.shape, generator=generator)
        return mean + self._get("std")[index] * noise

    @property
    def has_on_policy(self) -> bool:
        """Whether there is a demonstration or an online episode."""
        return bool(self._get("on_policy").any())

    def frames(self, shape: tuple[int, ...], generator: Generator) -> FrameBatch:
        """Uniformly drawn frames of D."""
        index = torch.randint(self._frames, shape, generator=generator)
        return FrameBatch(
            self._latents(index, generator),
            self._get("constraint")[index].float(),
            self._get("success")[index].float(),
        )

    def transitions(
        self, shape: tuple[int, ...], generator: Generator, *, on_policy: bool = False
    ) -> Transitions:
        """Uniformly drawn transitions of D, or of demonstrations and online data only."""
        if on_policy:
            allowed = self._get("on_policy").nonzero().squeeze(1)
            draw = allowed[torch.randint(len(allowed), shape, generator=generator)]
        else:
            draw = torch.randint(len(self._get("index")), shape, generator=generator)
        index = self._get("index")[draw]
        return Transitions(
            self._latents(index, generator),
            self._latents(index + 1, generator),
            self._get("actions")[draw],
            self._get("rewards")[draw],
            self._get("arrives")[draw].float(),
            self._get("in_safe_set")[draw].float(),
            self._get("cost_to_go")[draw],
        )


def safe_set_labels(episode: Episode) -> np.ndarray:
    """1_S (T,): frames s_t of a successful trajectory up to the last one that leads into G."""
    labels = np.zeros(len(episode), dtype=bool)
    if episode.success.any():
        labels[: len(episode) - int(np.argmax(episode.success[::-1]))] = True
    return labels


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
