"""What the fast networks gain: our training steps against plainly written ones."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.learner import Learner
from ls3_models.memory import keep_freed_memory
from ls3_models.offline import Spec, make_replay
from ls3_models.plain import make_plain
from ls3_models.replay import Replay

STEPS = ("vae_step", "heads_step")
VARIANTS = ("plain", "ours")


def synthetic_episode(spec: Spec, steps: int, seed: int) -> Episode:
    """A bright square that moves at random over a dark image; in the goal from half time on."""
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
    """Time `rounds` training steps of plain and of our networks, alternated.

    "vae_step" is augmentation, forward, loss, backward and Adam on a batch of
    `config.vae_batch_size` uint8 images; "heads_step" one step of dynamics, f_S, f_C, f_G and V on
    `config.batch_size` rows. Each variant has a process of its own, as ours sets how that process
    keeps memory. A round that is not counted comes first.

    Returns:
        For each step `<step>_plain_s` and `<step>_ours_s` with "median", "p10" and "p90" in
        seconds, `<step>_ratio`, the median over the rounds of plain / ours, and
        `<step>_ratio_spread`, its [p10, p90].

    Raises:
        ValueError: no round.
    """
    if rounds < 1:
        raise ValueError(f"at least one round is needed, not {rounds}")
    context = multiprocessing.get_context("spawn")
    ends, processes = {}, []
    for variant in VARIANTS:
        ends[variant], theirs = context.Pipe()
        arguments = (variant, config, spec, torch.get_num_threads(), theirs)
        process = context.Process(target=_serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
    figures: dict[str, Any] = {"rounds": rounds, "threads": torch.get_num_threads()}
    try:
        for step in STEPS:
            seconds = np.array(
                [[_ask(ends[variant], step) for variant in VARIANTS] for _ in range(rounds + 1)]
            )[1:]
            for column, variant in enumerate(VARIANTS):
                low, median, high = np.percentile(seconds[:, column], (10, 50, 90)).tolist()
                figures[f"{step}_{variant}_s"] = {"median": median, "p10": low, "p90": high}
            low, median, high = np.percentile(seconds[:, 0] / seconds[:, 1], (10, 50, 90)).tolist()
            figures |= {f"{step}_ratio": median, f"{step}_ratio_spread": [low, high]}
    finally:
        for end in ends.values():
            end.close()  # ends the process
        for process in processes:
            process.join()
    return figures


def measure_scaling(
    config: LearnerConfig, spec: Spec, *, episodes: Sequence[int] = (10, 40, 160), steps: int = 50
) -> list[dict[str, float]]:
    """Time and memory of training on data sets of so many synthetic episodes of `steps` steps.

    The law: a gradient step takes the same time for any data set, as it draws a batch of fixed
    size. Images, the replay and the one encoding of every frame grow linearly with the frames: the
    images by height * width * channel bytes per frame, the replay by 8 d (mean and standard
    deviation) and some 28 bytes of actions and labels.

    Returns:
        A row for each size: "episodes", "frames", "image_bytes", "replay_bytes", "encode_s" for
        all frames, and the median seconds of a "vae_step_s" and a "heads_step_s".
    """
    learner = Learner(config, spec.observation_shape[2], len(spec.action_low), seed=0)
    draw = Generator().manual_seed(0)
    # the replay keeps no images: the episodes of the largest size are made once
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
    """Median seconds of `times` calls, after one that is not counted."""
    seconds = []
    for _ in range(times + 1):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def _ask(end: Connection, step: str) -> float:
    end.send(step)
    return end.recv()


def _serve(variant: str, config: LearnerConfig, spec: Spec, threads: int, end: Connection) -> None:
    """Run the step named by each message, and answer its seconds."""
    torch.set_num_threads(threads)
    if variant == "ours":
        keep_freed_memory()
    learner = Learner(config, spec.observation_shape[2], len(spec.action_low), seed=0)
    episodes = [synthetic_episode(spec, 50, seed) for seed in range(20)]
    replay = make_replay(learner, spec, episodes)
    images = torch.from_numpy(np.concatenate([e.observations for e in episodes]))
    if variant == "plain":
        make_plain(learner)
    draw = Generator().manual_seed(0)
    steps = {
        "vae_step": partial(_vae_step, learner, images, draw),
        "heads_step": partial(_heads_step, learner, replay),
    }
    try:
        while True:
            step = steps[end.recv()]
            started = time.perf_counter()
            step()
            end.send(time.perf_counter() - started)
    except EOFError:
        pass


def _vae_step(learner: Learner, images: Tensor, draw: Generator) -> None:
    index = torch.randint(len(images), (learner.config.vae_batch_size,), generator=draw)
    learner.vae_step(images[index])


def _heads_step(learner: Learner, replay: Replay) -> None:
    learner.head_step(replay)
    learner.value_step(replay, monte_carlo=True)
