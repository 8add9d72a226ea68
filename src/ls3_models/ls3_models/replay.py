"""All data D as latents. Every frame is encoded once; every draw samples a new z (eq. 3)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ls3_models.batches import FrameBatch, Transitions
from ls3_models.columns import Column
from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.heads import Head, TrainingData, heads_of

ON_POLICY_SOURCES = ("demonstration", "online")


class Replay:
    """All data D as latents. It grows by whole episodes, and is sampled uniformly.

    Args:
        config: the heads whose labels are kept, and the parameters of the labels.
        action_low: (A,), least action, which is scaled to -1.
        action_high: (A,), greatest action, which is scaled to 1.
    """

    def __init__(self, config: LearnerConfig, action_low: Tensor, action_high: Tensor) -> None:
        self.config, self.heads = config, heads_of(config)
        self.action_low, self.action_high = action_low, action_high
        self._columns: dict[str, Column] = {}
        self._frames = 0

    def add(self, episode: Episode, mean: Tensor, std: Tensor) -> None:
        """Add one episode.

        Args:
            episode: an episode of T steps.
            mean: posterior means of its frames, (T + 1, d).
            std: posterior standard deviations of its frames, (T + 1, d).

        Raises:
            ValueError: the number of a head's labels is not that of the frames or transitions.
        """
        steps = len(episode)
        actions = torch.from_numpy(episode.actions)
        span = self.action_high - self.action_low
        on_policy = episode.source in ON_POLICY_SOURCES
        part = {
            "mean": mean,
            "std": std,
            "index": torch.arange(steps) + self._frames,
            "actions": 2 * (actions - self.action_low) / span - 1,
            "rewards": torch.from_numpy(episode.rewards),
            "arrives": torch.from_numpy(episode.arrivals),
            "on_policy": torch.full((steps,), on_policy),
        }
        for head in self.heads:
            label = head.label(episode, self.config)
            expected = steps + (head.data is TrainingData.FRAMES)
            if label.shape != (expected,):
                raise ValueError(f"labels of head '{head.name}': {label.shape}, not ({expected},)")
            part[_column(head)] = torch.from_numpy(label)
        for name, values in part.items():
            if name not in self._columns:
                self._columns[name] = Column(values)
            self._columns[name].extend(values)
        self._frames += steps + 1

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._frames

    @property
    def nbytes(self) -> int:
        """Size of all latents, actions and labels in bytes."""
        return sum(column.values.nbytes for column in self._columns.values())

    def _get(self, name: str) -> Tensor:
        return self._columns[name].values

    def _latents(self, index: Tensor, generator: Generator) -> Tensor:
        mean = self._get("mean")[index]
        noise = torch.randn(mean.shape, generator=generator)
        return mean + self._get("std")[index] * noise

    def _labels(self, index: Tensor, *, frames: bool) -> dict[str, Tensor]:
        heads = [head for head in self.heads if (head.data is TrainingData.FRAMES) == frames]
        return {head.name: self._get(_column(head))[index].float() for head in heads}

    @property
    def has_on_policy(self) -> bool:
        """Whether there is a demonstration or an online episode."""
        return bool(self._get("on_policy").any())

    def frames(self, shape: tuple[int, ...], generator: Generator) -> FrameBatch:
        """Draw frames uniformly from D; `shape` is that of the batch without its last axis d."""
        index = torch.randint(self._frames, shape, generator=generator)
        return FrameBatch(self._latents(index, generator), self._labels(index, frames=True))

    def transitions(
        self, shape: tuple[int, ...], generator: Generator, *, on_policy: bool = False
    ) -> Transitions:
        """Draw transitions uniformly from D, or from demonstrations and online episodes only."""
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
            self._labels(draw, frames=False),
        )

    def draw(
        self, data: TrainingData, shape: tuple[int, ...], generator: Generator
    ) -> FrameBatch | Transitions:
        """Draw a batch uniformly from the data that a head learns from."""
        if data is TrainingData.FRAMES:
            return self.frames(shape, generator)
        return self.transitions(shape, generator, on_policy=data is TrainingData.ON_POLICY)


def _column(head: Head) -> str:
    return f"label.{head.name}"
