"""Makes a guard on frames: known frames from D, scales and limits from fresh demonstrations.

The limits are those of split conformal prediction (`ls3_models.conformal`): of episodes like the
fresh ones, a share of `alpha` at most has a frame beyond a limit. Episodes are seen in the views
that the models learned from (`learner.views`), so that the guard allows what the models know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_common.errors import DataError
from ls3_models import conformal
from ls3_models.bundle import Bundle
from ls3_models.episodes import Episode
from ls3_models.frame_guard import (
    START_FRAMES,
    FrameGuard,
    KnownFrames,
    encoder_identity,
    features,
)
from ls3_models.views import seen

SIZES = 2048, 512
"""Number of known frames: of whole episodes, and of first frames."""
VIEWS_OF_EPISODE = 4
"""In how many views an episode gives known frames, where the models learned from views."""
SCALE_SHARE = 3
"""One of so many episodes gives the scales; the others give the limits."""
SCALE_QUANTILE = 0.99
MARGIN = 1.25
"""By which limits are raised, because a planner strays a little from what demonstrations show."""
LEAST_START_SCALE = 0.1
"""Scales of first frames in scales of all frames at least: first frames may be equal to the bit."""
LEAST_LIMIT = 0.1
"""Frames that are equal to the bit may have scores that differ by rounding."""
STARTS = "demonstration"
"""The behaviour whose episodes begin as the planner's do; others may begin anywhere."""


def demonstrations_needed(alpha: float) -> int:
    """Return the least number of fresh demonstrations that a guard takes."""
    needed = conformal.needed(alpha / 2)
    return -(-needed * SCALE_SHARE // (SCALE_SHARE - 1))


def fit(
    bundle: Bundle,
    training: Sequence[Episode],
    fresh: Sequence[Episode],
    *,
    alpha: float,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> FrameGuard:
    """Make the guard of a model.

    Args:
        bundle: the model.
        training: the episodes that it learned from.
        fresh: demonstrations of which it has learned nothing.
        alpha: share of such episodes that may have a false alarm.
        seed: decides which frames are known, and the views.
        advance: called after every episode.

    Raises:
        DataError: there are too few demonstrations.
    """
    if len(fresh) < demonstrations_needed(alpha):
        raise DataError(
            f"{len(fresh)} fresh demonstrations for a share of false alarms of {alpha:g}",
            do=f"collect {demonstrations_needed(alpha)} or more",
        )
    if not any(episode.source == STARTS for episode in training):
        raise DataError("no demonstration among the training data: nothing says how one begins")
    watch = _Watch(bundle, seed)
    known = _known(watch, training, advance)
    spread = known[0][0].std(dim=0).clamp(min=1e-6)
    parts = [_as_stored(of, spread) for of in known]
    compared = torch.stack([_compare(watch, e, parts, spread, advance) for e in fresh])
    for_scale = torch.arange(len(fresh)) % SCALE_SHARE == 0
    scales = compared[for_scale].quantile(SCALE_QUANTILE, dim=0).clamp(min=1e-6)
    scales[1] = torch.maximum(scales[1], LEAST_START_SCALE * scales[0])
    scores = (compared[~for_scale] / scales).amax(dim=2)
    limits = [
        max(MARGIN * conformal.limit(scores[:, part].numpy(), alpha / 2), LEAST_LIMIT)
        for part in (0, 1)
    ]
    anywhere, start = (
        replace(part, scales=scale, limit=limit)
        for part, scale, limit in zip(parts, scales, limits, strict=True)
    )
    return FrameGuard(
        encoder=encoder_identity(bundle.models),
        channels=bundle.frame_channels,
        spread=spread,
        anywhere=anywhere,
        start=start,
        about={"alpha": alpha, "demonstrations": len(fresh), "seed": seed},
    )


class _Watch:
    """Shows episodes in views, and computes the features of their frames."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self.bundle, self.views = bundle, bundle.config.views
        self.random = Generator().manual_seed(seed)
        self.share = self.views.copies / (1 + self.views.copies)

    def drawn(self, count: int, total: int) -> np.ndarray:
        """Return up to `count` of `total` numbers, in their order."""
        return np.sort(torch.randperm(total, generator=self.random)[:count].numpy())

    def features(self, observations: np.ndarray) -> tuple[Tensor, ...]:
        """Return latents in their own unit, thumbnails and brightness."""
        mean, _ = self.bundle.encode(observations)
        frames = observations[..., -self.bundle.frame_channels :]
        return features(frames, mean, torch.ones(mean.shape[1]))

    def in_view(self, observations: np.ndarray) -> np.ndarray:
        """Return observations as one view shows them."""
        images = torch.from_numpy(observations).permute(0, 3, 1, 2).float() / 255
        of_masks = self.bundle.frame_channels == 1
        moved = seen(images, self.views, self.random, of_masks=of_masks, together=True)
        levels = (moved * 255).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous().numpy()


def _planned_from(episode: Episode) -> np.ndarray:
    """The observations that a planner may plan from: none after a violation."""
    steps = int(np.argmax(episode.constraint)) + 1 if episode.violated else len(episode)
    return episode.observations[:steps]


def _known(
    watch: _Watch, training: Sequence[Episode], advance: Callable[[], None]
) -> list[tuple[Tensor, ...]]:
    """Return the features of known frames: of whole episodes, and of first frames."""
    shows = 1 + (VIEWS_OF_EPISODE if watch.views.copies else 0)
    count = -(-SIZES[0] // (len(training) * shows))
    found = list[tuple[Tensor, ...]](), list[tuple[Tensor, ...]]()
    for episode in training:
        observations = _planned_from(episode)
        starts = observations[:START_FRAMES] if episode.source == STARTS else observations[:0]
        for number in range(shows):
            picked = observations[watch.drawn(count, len(observations))]
            shown = np.concatenate((picked, starts))
            of = watch.features(watch.in_view(shown) if number else shown)
            found[0].append(tuple(value[: len(picked)] for value in of))
            found[1].append(tuple(value[len(picked) :] for value in of))
        advance()
    pools = [tuple(map(torch.cat, zip(*of, strict=True))) for of in found]
    kept = [watch.drawn(most, len(pool[0])) for pool, most in zip(pools, SIZES, strict=True)]
    return [tuple(value[rows] for value in pool) for pool, rows in zip(pools, kept, strict=True)]


def _compare(
    watch: _Watch,
    episode: Episode,
    parts: Sequence[KnownFrames],
    spread: Tensor,
    advance: Callable[[], None],
) -> Tensor:
    """Return the largest comparisons in a rollout, (2, 3): of all frames, and of the first ones."""
    observations = _planned_from(episode)
    if float(torch.rand((), generator=watch.random)) < watch.share:
        observations = watch.in_view(observations)
    latents, thumbnails, brightness = watch.features(observations)
    of = (latents / spread, thumbnails, brightness)
    first = (value[:START_FRAMES] for value in of)
    advance()
    return torch.stack((parts[0].compare(*of).amax(dim=0), parts[1].compare(*first).amax(dim=0)))


def _as_stored(of: tuple[Tensor, ...], spread: Tensor) -> KnownFrames:
    """Return known frames with the digits that a file keeps, but no scales and no limit yet."""
    latents, thumbnails, brightness = of
    return KnownFrames(
        (latents / spread).half().float(),
        (thumbnails * 255).round() / 255,
        brightness.median(dim=0).values,
        torch.ones(3),
        limit=1.0,
    )
