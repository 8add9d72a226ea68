"""Offline training (lines 1 and 2 of Algorithm 1): the stages of an agent, one after the other.

The run's directory holds ``checkpoint.safetensors``, ``tensorboard/``, ``curves.jsonl`` and the
stages' pictures. A run that is resumed from the checkpoint ends with the same weights as an
uninterrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
from torch.utils.tensorboard import SummaryWriter

from ls3_common import parameters
from ls3_common.files import read_rows, replacing, write_json, write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models import resume
from ls3_models.agent import NonFiniteLoss, TakenOver, Trainable, TrainingStage
from ls3_models.memory import keep_freed_memory
from ls3_models.offline_data import OfflineData

CHECKPOINT_S = 60.0
"""Longest time between two checkpoints, s, however slow the gradient steps are."""
BOARD = "tensorboard"
"""Folder of a run with a folder of TensorBoard events for each stage, so that a stage that goes on
drops no points of another one."""
CURVES = "curves.jsonl"
TAKEN_OVER = "offline.json"


class OfflineTraining:
    """Trains an agent on the offline data, and keeps its state and curves in a directory."""

    def __init__(
        self,
        agent: Trainable,
        data: OfflineData,
        directory: Path,
        *,
        seed: int,
        variations: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the directory's checkpoint into `agent`, if there is one.

        Args:
            agent: the agent to train.
            data: the offline data.
            directory: of the run.
            seed: of the run.
            variations: those of the environment that are on, by name.

        Raises:
            DataError: the checkpoint is damaged, or is of a run with other settings, data,
                variations or seed.
        """
        self.agent, self.data, self.directory = agent, data, directory
        self.identity = {
            "agent": agent.name,
            **{name: parameters.to_dict(config) for name, config in agent.offline_settings.items()},
            "domain": data.spec.domain,
            "seed": seed,
            "data_hash": data.digest,
            "variations": dict(variations or {}),
            "action_bounds": [list(data.spec.action_low), list(data.spec.action_high)],
        }
        self.defaults: Mapping[str, Any] = {
            **resume.DEFAULTS,
            # older checkpoints lack the bounds, which no domain could change at that time
            "action_bounds": self.identity["action_bounds"],
            **{
                name: parameters.defaults(type(config))
                for name, config in agent.offline_settings.items()
            },
        }
        self.done = dict.fromkeys(agent.stages, 0)
        self.seconds = 0.0
        self._resume()

    @property
    def has_begun(self) -> bool:
        """Whether the directory has a checkpoint of this training."""
        return (self.directory / resume.CHECKPOINT).exists()

    def start_from(
        self, source: Path, take_over: Callable[[Any, Path, Mapping[str, Any]], TakenOver]
    ) -> None:
        """Take over from directory `source` what this training would repeat exactly.

        A training that has begun continues from its own state instead.

        Args:
            source: another run, or a model.
            take_over: see `AgentKind.take_over`.

        Raises:
            DataError: the other run or model does not fit this training.
        """
        if self.has_begun:
            return
        taken = take_over(self.agent, source, self.identity)
        self.seconds = taken.seconds
        self.done |= {stage: self.agent.stages[stage] for stage in taken.stages}
        write_rows(self.directory / CURVES, taken.curves)
        record: dict[str, Any] = {"from": str(source), "stages": list(taken.stages)}
        write_json(self.directory / TAKEN_OVER, record)
        self.save()

    def run(self) -> None:
        """Train until all stages are done. The process then keeps the memory that it frees.

        Raises:
            Interrupted: SIGINT or SIGTERM arrived, and the state was saved.
            NonFiniteLoss: a loss is not finite; the text names the module, the step and the last
                good checkpoint.
        """
        keep_freed_memory()
        self.directory.mkdir(parents=True, exist_ok=True)
        with StopRequest() as stop:
            for stage, total in self.agent.stages.items():
                if self.done[stage] < total:
                    self._run_stage(stage, total, stop)

    def _run_stage(self, name: str, total: int, stop: StopRequest) -> None:
        stage = self.agent.stage(name)
        writer = SummaryWriter(str(self.directory / BOARD / name), purge_step=self.done[name] + 1)
        started = time.monotonic() - self.seconds
        sums: dict[str, float] = {}
        since, saved = 0, time.monotonic()
        try:
            with bar(name, total, self.done[name]) as progress:
                while self.done[name] < total:
                    losses = self._step(name, stage)
                    self.done[name] += 1
                    since += 1
                    for key, value in losses.items():
                        sums[key] = sums.get(key, 0.0) + value
                    progress.advance(", ".join(f"{k} {v:.3g}" for k, v in losses.items()))
                    step = self.done[name]
                    self.seconds = time.monotonic() - started
                    if time.monotonic() - saved > CHECKPOINT_S:
                        self.save()  # below, only every so many steps
                        saved = time.monotonic()
                    if step % self.agent.checkpoint_interval == 0 or step == total:
                        means = {f"train/{k}": v / since for k, v in sums.items()}
                        sums, since = {}, 0
                        self._log(writer, name, step, {**means, **stage.measure()})
                        for title, draw in stage.pictures.items():
                            picture = draw()
                            with replacing(self.directory / f"{title}.png") as part:
                                imageio.imwrite(part, picture)
                            writer.add_image(title, picture, step, dataformats="HWC")
                        self.save()
                        saved = time.monotonic()
                    if stop.requested:
                        self.save()
                        raise Interrupted
        finally:
            writer.close()

    def _step(self, name: str, stage: TrainingStage) -> Mapping[str, float]:
        try:
            return stage.step()
        except NonFiniteLoss as error:
            checkpoint = self.directory / resume.CHECKPOINT
            kept = f"the last good checkpoint is {checkpoint}"
            raise NonFiniteLoss(
                f"{error.what} at step {self.done[name] + 1} of stage '{name}'; "
                f"{kept if checkpoint.exists() else 'no checkpoint'}"
            ) from None

    def _log(self, writer: SummaryWriter, stage: str, step: int, row: dict[str, float]) -> None:
        for name, value in row.items():
            writer.add_scalar(f"{stage}/{name}", value, step)
        entry = {"stage": stage, "step": step, "seconds": round(self.seconds, 1), **row}
        write_rows(self.directory / CURVES, [*self.curves(), entry])

    def save(self) -> None:
        """Write the checkpoint."""
        progress = {"done": self.done, "seconds": self.seconds}
        resume.save(self.directory, self.agent, self.identity, **progress)

    def _resume(self) -> None:
        description = resume.restore(self.directory, self.agent, self.identity, self.defaults)
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
        """Return the points that were logged so far."""
        return read_curves(self.directory)


def read_curves(directory: Path) -> list[dict[str, Any]]:
    """Read the points that a training in `directory` has logged, each with its stage and step.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    path = directory / CURVES
    do = "delete the file: only the points of the curves are lost"
    return read_rows(path, do=do) if path.exists() else []
