"""Measurements of the models on held-out episodes, from which they did not learn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.images import coloured, newest
from ls3_models.batches import FrameBatch, Transitions
from ls3_models.episodes import Episode
from ls3_models.frame_stack import to_changes
from ls3_models.heads import TrainingData
from ls3_models.learner import Learner
from ls3_models.replay import Replay

SAMPLE = 4096
"""Number of frames or transitions per measurement."""
PICTURES = 8
"""Number of images in the picture of reconstructions."""


class Validation:
    """Measures a learner's models on held-out episodes, without drawing from its generator.

    Attributes:
        replay: the held-out episodes as latents, which the measurement of the heads needs.
    """

    def __init__(self, learner: Learner, domain: str, episodes: Sequence[Episode]) -> None:
        self.learner = learner
        self.domain = domain
        self.images = torch.from_numpy(np.concatenate([e.observations for e in episodes]))
        self.replay: Replay | None = None

    def measure(self, stage: str) -> dict[str, float]:
        """Return named figures of a stage, "vae" or "heads", on the same sample every time."""
        generator = Generator().manual_seed(0)
        if stage == "vae":
            return self._reconstruction_error(generator)
        assert self.replay is not None
        return _measure_heads(self.learner, self.replay, generator)

    @torch.no_grad()
    def _reconstruction_error(self, generator: Generator) -> dict[str, float]:
        chosen = torch.randint(len(self.images), (512,), generator=generator)
        images = self.images[chosen]
        mean, _ = self.learner.encode(images)
        target = images.permute(0, 3, 1, 2).float() / 255
        error = self.learner.models.decoder(mean) - target
        rows = {"held_out/squared_error_per_image": float(error.square().sum()) / len(images)}
        frames = self.learner.config.frame_stack
        if frames > 1:
            unexplained, whole = (
                _motion(to_changes(part, frames), frames) for part in (error, target)
            )
            rows["held_out/motion_unexplained"] = unexplained / max(whole, 1e-9)
        return rows

    @torch.no_grad()
    def reconstructions(self) -> np.ndarray:
        """Draw held-out images above their reconstructions, uint8 (2 * height, n * width, 3).

        Of stacked frames the newest is shown. Frames without three channels are shown in grey.
        """
        step = max(1, len(self.images) // PICTURES)
        images = self.images[::step][:PICTURES]
        mean, _ = self.learner.encode(images)
        decoded = self.learner.models.decoder(mean).clamp(0, 1).permute(0, 2, 3, 1)
        rows = (images.float() / 255, decoded)
        channels = images.shape[-1] // self.learner.config.frame_stack
        picture = torch.cat([torch.cat(list(row), dim=1) for row in rows])
        return coloured(newest((picture * 255).to(torch.uint8).numpy(), channels))


def _motion(parts: Tensor, frames: int) -> float:
    """Return the sum of squares of the changes in the output of `to_changes`."""
    return float(parts[:, parts.shape[1] // frames :].square().sum())


@torch.no_grad()
def _measure_heads(learner: Learner, replay: Replay, generator: Generator) -> dict[str, float]:
    models = learner.models
    rows: dict[str, float] = {}
    batch = replay.transitions((1, SAMPLE), generator)
    members = learner.config.dynamics_members
    latents, actions = (x.expand(members, -1, -1) for x in (batch.latents, batch.actions))
    change = batch.next_latents - batch.latents
    mean, _ = models.dynamics(latents, actions)
    error = (mean.mean(dim=0) - change[0]).square().sum()
    rows["held_out/dynamics_unexplained"] = float(error / change.square().sum())
    batches: dict[TrainingData, FrameBatch | Transitions] = {TrainingData.TRANSITIONS: batch}
    if replay.has_on_policy:
        batches[TrainingData.ON_POLICY] = replay.draw(
            TrainingData.ON_POLICY, (1, SAMPLE), generator
        )
    batches[TrainingData.FRAMES] = replay.draw(TrainingData.FRAMES, (1, SAMPLE), generator)
    for head in models.head_list:
        if head.data in batches:
            drawn = batches[head.data]
            number, label = models.read(head, drawn.latents[0]), drawn.labels[head.name][0]
            for name, figure in head.measure(number, label).items():
                rows[f"held_out/{head.name}_{name}"] = figure
    return {name: value for name, value in rows.items() if math.isfinite(value)}
