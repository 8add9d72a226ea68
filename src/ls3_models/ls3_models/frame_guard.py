"""The guard on frames: how unlike the frames that the models know is a frame.

A score compares a frame with known frames in three ways: the distance of its latent to the nearest
known latent, the distance of its thumbnail to the nearest known one, and its brightness. Each is a
multiple of what fresh rollouts reach, and the largest counts. The first frames of an episode are
compared with known first frames as well, because these differ least from each other.
`ls3_models.frame_guard_fit` makes a guard; docs/decisions/planning.md, record 239, says why so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.formats import Format
from ls3_models.models import Models

FILE = "frame_guard.safetensors"
"""Name of the file, beside the weights of the model."""
FORMAT = Format("frame_guard", {})
START_FRAMES = 2
"""Number of an episode's first frames that are compared with known first frames as well."""
THUMBNAIL = 16
"""Side of a thumbnail, px."""


@dataclass(frozen=True)
class KnownFrames:
    """Frames that a frame is compared with.

    Attributes:
        latents: means of their latents, in standard deviations of all known latents, (n, d).
        thumbnails: (n, pixel), in [0, 1].
        brightness: the median of their channels' means, (c,), in [0, 1].
        scales: by which the three comparisons are divided, (3,).
        limit: scores up to here are as fresh episodes have them.
    """

    latents: Tensor
    thumbnails: Tensor
    brightness: Tensor
    scales: Tensor
    limit: float

    def compare(self, latents: Tensor, thumbnails: Tensor, brightness: Tensor) -> Tensor:
        """Return the three comparisons of frames, not yet divided, (n, 3)."""
        return torch.stack(
            (
                _nearest(latents, self.latents),
                _nearest(thumbnails, self.thumbnails),
                (brightness - self.brightness).abs().amax(dim=1),
            ),
            dim=1,
        )

    def score(self, latents: Tensor, thumbnails: Tensor, brightness: Tensor) -> Tensor:
        """Return the largest of the comparisons, each divided by its scale, (n,)."""
        return (self.compare(latents, thumbnails, brightness) / self.scales).amax(dim=1)


@dataclass(frozen=True)
class FrameGuard:
    """Scores frames, and says which are too unlike those that the models know.

    Attributes:
        encoder: identity of the f_enc that the guard was made for (`encoder_identity`).
        channels: channels of one frame in an observation's stack.
        spread: standard deviations of all known latents, (d,).
        anywhere: frames of whole episodes.
        start: first frames of episodes.
        about: how the guard was made: number of fresh episodes, share of false alarms, seed.
    """

    encoder: str
    channels: int
    spread: Tensor
    anywhere: KnownFrames
    start: KnownFrames
    about: Mapping[str, Any]

    @torch.no_grad()
    def scores(self, observations: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Score observations.

        Args:
            observations: uint8 (n, h, w, c).
            means: means of their latents, float32 (n, d).

        Returns:
            float32 (n, 2): compared with frames of whole episodes, and with first frames.
        """
        seen = features(observations[..., -self.channels :], means, self.spread)
        return torch.stack((self.anywhere.score(*seen), self.start.score(*seen)), dim=1).numpy()

    def objection(self, scores: np.ndarray, step: int | None = None) -> str:
        """Say why a frame must not be planned from; empty if it may.

        Args:
            scores: of the frame, (2,), as `scores` returns them.
            step: number of the step in the episode that the frame is for; None: it is not known.
        """
        named = [(self.anywhere, scores[0], "")]
        if step is not None and step < START_FRAMES:
            named.append((self.start, scores[1], " of the first steps"))
        excess = np.array([float(score) / known.limit for known, score, _ in named])
        if excess.max() <= 1:  # not for NaN
            return ""
        known, score, of = named[int(np.argmax(excess))]
        return (
            f"the frame is unlike the training data{of}: score {score:.2f}, limit {known.limit:.2f}"
        )


def _nearest(found: Tensor, known: Tensor) -> Tensor:
    """Return the distance of each row to the nearest known row, (n,).

    By a matrix product it would be quicker, but near 0 inexact, and would depend on the others.
    """
    return torch.cdist(found, known, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)


def features(frames: np.ndarray, means: np.ndarray, spread: Tensor) -> tuple[Tensor, ...]:
    """Return latents (n, d), thumbnails (n, pixel) and brightness (n, c) of frames.

    frames: uint8 (n, h, w, c). means: of the latents, (n, d). spread: (d,).
    """
    count, height, width, channels = frames.shape
    blocks = torch.from_numpy(np.ascontiguousarray(frames)).reshape(
        (count, THUMBNAIL, height // THUMBNAIL, THUMBNAIL, width // THUMBNAIL, channels)
    )
    thumbnails = blocks.float().mean(dim=(2, 4)) / 255
    brightness = thumbnails.mean(dim=(1, 2))
    return torch.from_numpy(means) / spread, thumbnails.flatten(1), brightness


def encoder_identity(models: Models) -> str:
    """Return the first digits of the SHA-256 of f_enc, as it is stored."""
    digest = sha256()
    for name, tensor in sorted(models.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def save(guard: FrameGuard, directory: Path) -> None:
    """Write a guard into the directory of its model."""
    tensors, limits = {"spread": guard.spread}, {}
    for name, known in (("anywhere", guard.anywhere), ("start", guard.start)):
        tensors |= {
            f"{name}.latents": known.latents.half(),
            f"{name}.thumbnails": (known.thumbnails * 255).round().to(torch.uint8),
            f"{name}.brightness": known.brightness,
            f"{name}.scales": known.scales,
        }
        limits[name] = known.limit
    description = {
        "format": FORMAT.mark,
        "encoder": guard.encoder,
        "channels": guard.channels,
        "limits": limits,
        "about": dict(guard.about),
    }
    checkpoint.save(directory / FILE, tensors, description)


def remove_foreign(directory: Path, models: Models) -> None:
    """Delete a guard that was made for another encoder than that of `models`, or is damaged."""
    try:
        load(directory, models)
    except DataError:
        (directory / FILE).unlink()


def load(directory: Path, models: Models) -> FrameGuard | None:
    """Load the guard of a model; None if the model has none.

    Raises:
        DataError: the file is damaged, or its guard was made for another encoder.
    """
    path = directory / FILE
    if not path.exists():
        return None
    tensors, description = checkpoint.load(path)
    FORMAT.number(description.get("format"), str(path))
    try:
        guard = FrameGuard(
            encoder=str(description["encoder"]),
            channels=int(description["channels"]),
            spread=tensors["spread"].float(),
            anywhere=_known(tensors, "anywhere", description["limits"]),
            start=_known(tensors, "start", description["limits"]),
            about=dict(description["about"]),
        )
        _refuse_unfit(guard, models)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(f"damaged guard on frames ({error})", where=str(path)) from None
    if guard.encoder != encoder_identity(models):
        raise DataError(
            "the guard on frames was made for another model",
            where=str(path),
            do="make it again with `ls3 calibrate-guard`, or delete the file to plan without it",
        )
    return guard


def _known(tensors: Mapping[str, Tensor], name: str, limits: Mapping[str, float]) -> KnownFrames:
    return KnownFrames(
        tensors[f"{name}.latents"].float(),
        tensors[f"{name}.thumbnails"].float() / 255,
        tensors[f"{name}.brightness"].float(),
        tensors[f"{name}.scales"].float(),
        float(limits[name]),
    )


def _refuse_unfit(guard: FrameGuard, models: Models) -> None:
    """Raise ValueError if numbers or sizes cannot be those of a guard of these models."""
    size = models.encoder.mean.out_features
    pixels = THUMBNAIL * THUMBNAIL * guard.channels
    spread = guard.spread
    if spread.shape != (size,) or not bool((torch.isfinite(spread) & (spread > 0)).all()):
        raise ValueError("the spread of the latents")
    if not 0 < guard.channels <= next(models.encoder.parameters()).shape[1]:
        raise ValueError(f"{guard.channels} channels")
    for known in (guard.anywhere, guard.start):
        count = len(known.latents)
        shapes = [(count, size), (count, pixels), (guard.channels,), (3,)]
        found = [known.latents, known.thumbnails, known.brightness, known.scales]
        if not count or [tuple(tensor.shape) for tensor in found] != shapes:
            raise ValueError("the sizes of the known frames")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in found):
            raise ValueError("a number is not finite")
        if not bool((known.scales > 0).all()):
            raise ValueError("a scale is not above 0")
        if not 0 < known.limit < float("inf"):
            raise ValueError(f"the limit {known.limit:g}")
