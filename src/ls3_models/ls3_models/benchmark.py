"""Measures the time of training steps, the gain by stacked ensembles, and the growth with data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.learner import Learner
from ls3_models.ls3_learning import make_replay
from ls3_models.memory import keep_freed_memory
from ls3_models.offline_data import Spec
from ls3_models.plain import make_plain
from ls3_models.replay import Replay


def synthetic_episode(spec: Spec, steps: int, seed: int) -> Episode:
    """Make an episode of a bright square that jumps at random, in the goal from half time on."""
    rng = np.random.default_rng(seed)
    height, width, _ = spec.observation_shape
    images = np.zeros((steps + 1, *spec.observation_shape), np.uint8)
    for image in images:
        row, column = rng.integers(0, height - 8), rng.integers(0, width - 8)
        image[row : row + 8, column : column + 8] = 255
    success = np.arange(steps) >= steps // 2
    actions = rng.uniform(spec.action_low, spec.action_high, (steps, len(spec.action_low)))
    return Episode(
        observations=images,
        actions=actions.astype(np.float32),
        rewards=np.where(success, 0, -1).astype(np.float32),
        constraint=np.zeros(steps, bool),
        success=success,
        source="demonstration",
        seed=seed,
    )


def measure_steps(config: LearnerConfig, spec: Spec, *, rounds: int = 10) -> dict[str, Any]:
    """Time training steps of the VAE, and of the ensembles, stacked and one network at a time.

    A VAE step is augmentation, forward, loss, backward and Adam on a batch of
    `config.vae_batch_size` uint8 images. A heads step is one step of dynamics, f_S, f_C, f_G and V
    on `config.batch_size` rows. The three kinds of steps are timed in turn, in one process and with
    the same allocator and Adam. One uncounted round comes first.

    Returns:
        "vae_step_s", "heads_step_s" and "plain_heads_step_s", each "median", "p10" and "p90" (s);
        "heads_step_ratio", plain / stacked of each round, in the same form; "rounds"; "threads".

    Raises:
        ValueError: `rounds` is less than one.
    """
    if rounds < 1:
        raise ValueError(f"at least one round is needed, not {rounds}")
    keep_freed_memory()
    episodes = [synthetic_episode(spec, 50, seed) for seed in range(20)]
    images = torch.from_numpy(np.concatenate([e.observations for e in episodes]))
    stacked, plain = (
        Learner(config, spec.observation_shape[2], len(spec.action_low), seed=0) for _ in range(2)
    )
    replay = make_replay(stacked, spec, episodes)
    steps = {
        "vae_step": partial(_vae_step, stacked, images, Generator().manual_seed(0)),
        "heads_step": partial(_heads_step, stacked, replay),
        "plain_heads_step": partial(_heads_step, make_plain(plain), replay),
    }
    seconds = {name: np.empty(rounds + 1) for name in steps}
    for round_ in range(rounds + 1):
        for name, step in steps.items():
            seconds[name][round_] = _seconds(step)
    counted = {name: values[1:] for name, values in seconds.items()}
    return {
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        **{f"{name}_s": _spread(values) for name, values in counted.items()},
        "heads_step_ratio": _spread(counted["plain_heads_step"] / counted["heads_step"]),
    }


def measure_scaling(
    config: LearnerConfig, spec: Spec, *, episodes: Sequence[int] = (10, 40, 160), steps: int = 50
) -> list[dict[str, float]]:
    """Measure time and memory of training, for data sets of several sizes.

    Expected: a gradient step takes the same time for every data set, because its batch has a fixed
    size. The images, the replay and the encoding of all frames grow linearly with the frames:
    the images by height * width * channel bytes per frame, the replay by 8 d bytes (mean and
    standard deviation) and about 28 bytes of actions and labels.

    Args:
        config: the learner's parameters.
        spec: sizes of images and actions.
        episodes: the sizes of the data sets, in synthetic episodes.
        steps: the length of an episode.

    Returns:
        A row for each size: "episodes", "frames", "image_bytes", "replay_bytes", "encode_s" of all
        frames, and the medians "vae_step_s" and "heads_step_s" of one step (s).
    """
    learner = Learner(config, spec.observation_shape[2], len(spec.action_low), seed=0)
    draw = Generator().manual_seed(0)
    # the episodes of the largest size are made once; the smaller data sets are parts of them
    data = [synthetic_episode(spec, steps, seed) for seed in range(max(episodes))]
    rows = []
    for count in episodes:
        images = torch.from_numpy(np.concatenate([e.observations for e in data[:count]]))
        started = time.perf_counter()
        replay = make_replay(learner, spec, data[:count])
        encode_s = time.perf_counter() - started
        row = {
            "episodes": count,
            "frames": len(images),
            "image_bytes": images.nbytes,
            "replay_bytes": replay.nbytes,
            "encode_s": encode_s,
            "vae_step_s": _median_s(partial(_vae_step, learner, images, draw)),
            "heads_step_s": _median_s(partial(_heads_step, learner, replay)),
        }
        rows.append(row)
    return rows


def _median_s(step: Callable[[], None], times: int = 3) -> float:
    """Return the median time (s) of `times` calls, after one uncounted call."""
    return float(np.median([_seconds(step) for _ in range(times + 1)][1:]))


def _seconds(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _spread(values: np.ndarray) -> dict[str, float]:
    low, median, high = np.percentile(values, (10, 50, 90)).tolist()
    return {"median": median, "p10": low, "p90": high}


def _vae_step(learner: Learner, images: Tensor, draw: Generator) -> None:
    index = torch.randint(len(images), (learner.config.vae_batch_size,), generator=draw)
    learner.vae_step(images[index])


def _heads_step(learner: Learner, replay: Replay) -> None:
    learner.head_step(replay)
    learner.value_step(replay, monte_carlo=True)
