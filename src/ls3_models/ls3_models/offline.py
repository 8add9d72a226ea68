"""Offline training (lines 1 and 2 of Algorithm 1): first the VAE, then everything on latents.

The run's directory holds ``checkpoint.safetensors``, from which an interrupted run goes on to the
very same weights, TensorBoard events, ``curves.jsonl`` and pictures of reconstructions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_common.files import read_rows, replacing, write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models import resume
from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.learner import Learner
from ls3_models.memory import keep_freed_memory
from ls3_models.replay import Replay
from ls3_models.validation import HELD_OUT_EVERY, Validation

CURVES = "curves.jsonl"
STAGES = {"vae": "vae_iterations", "heads": "offline_iterations"}
"""The stages in their order, each with the learner's parameter that is its number of steps."""


def stage_totals(learner: Mapping[str, Any]) -> dict[str, int]:
    """Gradient steps of every stage, from the parameters of a `LearnerConfig`."""
    return {stage: int(learner[name]) for stage, name in STAGES.items()}


@dataclass(frozen=True)
class Spec:
    """What the data look like: set by the domain, checked against every episode.

    observation_shape: (height, width, channel); action_low, action_high: bounds per dimension.
    """

    domain: str
    observation_shape: tuple[int, int, int]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]

    def check(self, episodes: Sequence[Episode]) -> None:
        """Refuse data of another image or action size.

        Raises:
            DataError: naming both sizes.
        """
        for episode in episodes:
            found = episode.observations.shape[1:], episode.actions.shape[1]
            if found != (self.observation_shape, len(self.action_low)):
                raise DataError(
                    f"an episode has images {found[0]} and {found[1]}-D actions, domain "
                    f"'{self.domain}' has {self.observation_shape} and {len(self.action_low)}-D",
                    do="check that --data belongs to this domain",
                )


def make_replay(learner: Learner, spec: Spec, episodes: Sequence[Episode]) -> Replay:
    """Encode every frame of `episodes` once."""
    replay = Replay(learner.config, torch.tensor(spec.action_low), torch.tensor(spec.action_high))
    for episode in episodes:
        replay.add(episode, *learner.encode(torch.from_numpy(episode.observations)))
    return replay


class OfflineTraining:
    """Trains on `episodes`; every 20th episode is kept out to measure what was learned."""

    def __init__(
        self,
        config: LearnerConfig,
        spec: Spec,
        episodes: Sequence[Episode],
        directory: Path,
        *,
        seed: int,
        data_hash: str,
    ) -> None:
        spec.check(episodes)
        if len(episodes) < 2:
            raise DataError(
                f"{len(episodes)} episode: the first of every {HELD_OUT_EVERY} is kept out to "
                "measure what was learned, and none is left to learn from",
                where=f"data of '{spec.domain}'",
                do="give more episodes: `ls3 collect`, or `ls3 data import`",
            )
        self.config, self.spec, self.directory = config, spec, directory
        self.training = [e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY]
        self.held_out = [e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY == 0]
        self.learner = Learner(config, spec.observation_shape[2], len(spec.action_low), seed)
        self.identity = {
            "config": parameters.to_dict(config),
            "domain": spec.domain,
            "seed": seed,
            "data_hash": data_hash,
        }
        self.totals = stage_totals(parameters.to_dict(config))
        self.done = dict.fromkeys(STAGES, 0)
        self.seconds = 0.0
        self._resume()

    def run(self) -> None:
        """Train until done; from then on the process keeps memory that it frees.

        Raises:
            Interrupted: on SIGINT or SIGTERM, after saving.
        """
        keep_freed_memory()
        self.directory.mkdir(parents=True, exist_ok=True)
        with StopRequest() as stop:
            while (stage := self.stage) is not None:
                self._run_stage(stage, self.totals[stage], stop)

    @property
    def stage(self) -> str | None:
        """The first stage that is not finished, None where all are."""
        return next((s for s, total in self.totals.items() if self.done[s] < total), None)

    def _run_stage(self, stage: str, total: int, stop: StopRequest) -> None:
        learner = self.learner
        validation = Validation(learner, self.spec.domain, self.held_out)
        if stage == "vae":
            frames = torch.from_numpy(np.concatenate([e.observations for e in self.training]))
        else:
            replay = make_replay(learner, self.spec, self.training)
            validation.replay = make_replay(learner, self.spec, self.held_out)
        writer = SummaryWriter(str(self.directory), purge_step=self.done[stage] + 1)
        started = time.monotonic() - self.seconds
        sums: dict[str, float] = {}
        since = 0
        try:
            with bar(stage, total, self.done[stage]) as progress:
                while self.done[stage] < total:
                    if stage == "vae":
                        losses = learner.vae_step(_draw(frames, learner))
                    else:
                        losses = learner.head_step(replay)
                        losses |= learner.value_step(replay, monte_carlo=True)
                    self.done[stage] += 1
                    since += 1
                    for name, value in losses.items():
                        sums[name] = sums.get(name, 0.0) + value
                    progress.advance(", ".join(f"{k} {v:.3g}" for k, v in losses.items()))
                    step = self.done[stage]
                    self.seconds = time.monotonic() - started
                    if step % self.config.checkpoint_interval == 0 or step == total:
                        means = {f"train/{k}": v / since for k, v in sums.items()}
                        sums, since = {}, 0
                        self._log(writer, stage, step, means | validation.measure(stage))
                        if stage == "vae":
                            picture = validation.reconstructions()
                            with replacing(self.directory / "reconstructions.png") as part:
                                imageio.imwrite(part, picture)
                            writer.add_image("reconstructions", picture, step, dataformats="HWC")
                        self.save()
                    if stop.requested:
                        self.save()
                        raise Interrupted
        finally:
            writer.close()

    def _log(self, writer: SummaryWriter, stage: str, step: int, row: dict[str, float]) -> None:
        for name, value in row.items():
            writer.add_scalar(f"{stage}/{name}", value, step)
        entry = {"stage": stage, "step": step, "seconds": round(self.seconds, 1), **row}
        write_rows(self.directory / CURVES, [*self.curves(), entry])

    def save(self) -> None:
        """Write the checkpoint."""
        progress = {"done": self.done, "seconds": self.seconds}
        resume.save(self.directory, self.learner, self.identity, **progress)

    def _resume(self) -> None:
        description = resume.restore(self.directory, self.learner, self.identity)
        if description is not None:
            self.done = dict(description["done"])
            self.seconds = float(description["seconds"])
            self._cut_curves()

    def _cut_curves(self) -> None:
        """Drop curve points that were written after the checkpoint."""
        rows = [row for row in self.curves() if row["step"] <= self.done[row["stage"]]]
        if (self.directory / CURVES).exists():
            write_rows(self.directory / CURVES, rows)

    def curves(self) -> list[dict[str, Any]]:
        """Points logged so far."""
        return read_curves(self.directory)


def read_curves(directory: Path) -> list[dict[str, Any]]:
    """Points that a training in `directory` has logged, by stage and step.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    path = directory / CURVES
    do = "delete it: only the drawing of the curves is lost"
    return read_rows(path, do=do) if path.exists() else []


def _draw(frames: Tensor, learner: Learner) -> Tensor:
    size = (learner.config.vae_batch_size,)
    return frames[torch.randint(len(frames), size, generator=learner.generator)]
