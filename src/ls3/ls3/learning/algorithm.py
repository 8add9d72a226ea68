"""Algorithm 1, lines 3 to 10: K episodes, an update, U times over.

Every episode is a file before the next begins, and the learner's state is saved after every
update. An interrupted run reads the episodes it has, restores the state and goes on; with the same
number of threads it ends at the same weights as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import torch
from torch.utils.tensorboard import SummaryWriter

from ls3.learning.environment import run_episode, seed_of
from ls3.learning.policy import PlannerPolicy, describe
from ls3.runs.domains import Domain
from ls3_common import parameters
from ls3_common.files import write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models import resume
from ls3_models.bundle import Bundle
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode
from ls3_models.learner import Learner, NonFiniteLoss
from ls3_models.offline import OfflineTraining, Spec, make_replay
from ls3_models.replay import Replay
from ls3_planner.plan import make_planner

CURVE = "curve.jsonl"


@dataclass(frozen=True)
class EpisodeRow:
    """One point of the learning curve."""

    episode: int
    phase: int
    success: bool
    violation: bool
    steps: int
    total_reward: float
    holds: int


def live_bundle(learner: Learner, spec: Spec) -> Bundle:
    """The learner's present models, to plan with."""
    return Bundle(
        learner.models,
        learner.config,
        spec.domain,
        spec.observation_shape,
        spec.action_low,
        spec.action_high,
        identity="learning",
    )


@dataclass(frozen=True)
class Ask:
    """For one online episode, with the models as they are after `phase` updates."""

    number: int
    phase: int
    seed: int
    bundle: Bundle
    stopped: Callable[[], bool]
    """Whether a person wants to stop; an episode that can be left then raises Interrupted."""


Source = Callable[[Ask], Episode]
"""Runs one episode: in an environment of this process, or through a running graph."""


def in_process(env: gymnasium.Env, domain: Domain) -> Source:
    """Episodes of an environment."""

    def run(ask: Ask) -> Episode:
        policy = PlannerPolicy(ask.bundle, make_planner(ask.bundle, domain.planner))
        policy.reset(ask.seed)
        episode = run_episode(
            env,
            policy,
            source="online",
            seed=ask.seed,
            stop_on_success=domain.algorithm.stop_on_success,
        )
        return replace(episode, attributes={"holds": policy.holds})

    return run


class OnlineLearning:
    """Goes on from a finished offline training; `directory` holds episodes, state and curve."""

    def __init__(
        self,
        domain: Domain,
        source: Source,
        offline: OfflineTraining,
        directory: Path,
        *,
        seed: int,
    ) -> None:
        self.domain, self.source, self.directory, self.seed = domain, source, directory, seed
        self.learner, self.spec = offline.learner, offline.spec
        self.offline_directory = offline.directory
        self.replay = make_replay(self.learner, self.spec, offline.training)
        algorithm = parameters.to_dict(domain.algorithm)
        del algorithm["updates"]  # a run may be continued with a larger U
        self.identity = {
            "planner": parameters.to_dict(domain.planner),
            "algorithm": algorithm,
            "offline": offline.identity,
            "seed": seed,
        }
        self.phase = 0
        self.rows: list[EpisodeRow] = []
        self._resume()

    def run(self) -> None:
        """Learn until U updates are done.

        Raises:
            Interrupted: on SIGINT or SIGTERM; the episodes and updates so far are kept.
            NonFiniteLoss: naming the module, the step and the last good checkpoint.
            OSError: a file could not be written; the episode at hand is lost and no other.
        """
        algorithm = self.domain.algorithm
        total = algorithm.trajectories * algorithm.updates
        writer = SummaryWriter(str(self.directory), purge_step=len(self.rows) + 1)
        recent: list[Episode] = []
        kept = sum(self._path(number).exists() for number in range(total))
        with StopRequest() as stop, bar("learn", total, kept) as progress:
            while self.phase < algorithm.updates:
                for index in range(algorithm.trajectories):
                    number = self.phase * algorithm.trajectories + index
                    new = not self._path(number).exists()
                    episode = self._episode(number, lambda: stop.requested)
                    recent = [*recent[-19:], episode]
                    self._log(writer)
                    progress.advance(f"last {len(recent)}: {describe(recent)}", steps=int(new))
                    if stop.requested:
                        raise Interrupted
                progress.advance(f"update {self.phase + 1}", steps=0)
                self._update(writer)
                self.phase += 1
                resume.save(self.directory, self.learner, self.identity, phase=self.phase)
        writer.close()

    def _episode(self, number: int, stopped: Callable[[], bool]) -> Episode:
        """Run episode `number`, or read it where an interrupted run has left it."""
        path = self._path(number)
        if path.exists():
            episode = read_episode(path)
        else:
            seed = seed_of(self.seed, "online", number)
            bundle = live_bundle(self.learner, self.spec)
            episode = self.source(Ask(number, self.phase, seed, bundle, stopped))
            attributes = {**episode.attributes, "phase": self.phase}
            episode = replace(episode, attributes=attributes)
            write_episode(path.parent, path.stem, episode)
        self._add(number, episode)
        return episode

    def _path(self, number: int) -> Path:
        return self.directory / "episodes" / f"online_{number:05d}{SUFFIX}"

    def _add(self, number: int, episode: Episode) -> None:
        add_to_replay(self.replay, self.learner, episode)
        self.rows.append(
            EpisodeRow(
                episode=number,
                phase=number // self.domain.algorithm.trajectories,
                success=episode.succeeded,
                violation=episode.violated,
                steps=episode.steps_to_goal or len(episode),
                total_reward=float(episode.rewards.sum()),
                holds=int(episode.attributes.get("holds", 0)),
            )
        )

    def _update(self, writer: SummaryWriter) -> None:
        config = self.domain.learner
        heads, losses = config.update_iterations, dict[str, float]()
        for step in range(heads + config.value_update_iterations):
            try:
                if step < heads:
                    losses = self.learner.head_step(self.replay)
                else:
                    losses |= self.learner.value_step(self.replay, monte_carlo=False)
            except NonFiniteLoss as error:
                where = self.directory if self.phase else self.offline_directory
                raise NonFiniteLoss(
                    f"{error.what} at step {step + 1} of update {self.phase + 1}; "
                    f"the last good checkpoint is {where / resume.CHECKPOINT}"
                ) from None
        for name, value in losses.items():
            writer.add_scalar(f"online/loss_{name}", value, len(self.rows))

    def _log(self, writer: SummaryWriter) -> None:
        row = self.rows[-1]
        for name in ("success", "violation", "steps", "total_reward", "holds"):
            writer.add_scalar(f"online/{name}", float(getattr(row, name)), row.episode)
        write_rows(self.directory / CURVE, map(asdict, self.rows))

    def _resume(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        description = resume.restore(self.directory, self.learner, self.identity)
        if description is None:
            return
        self.phase = int(description["phase"])
        for number in range(self.phase * self.domain.algorithm.trajectories):
            self._add(number, read_episode(self._path(number)))

    def curve(self) -> list[dict[str, Any]]:
        """The learning curve as plain rows."""
        return [asdict(row) for row in self.rows]


def add_to_replay(replay: Replay, learner: Learner, episode: Episode) -> None:
    """Encode one episode and add it."""
    replay.add(episode, *learner.encode(torch.from_numpy(episode.observations)))


def training_rates(rows: Sequence[EpisodeRow]) -> dict[str, float]:
    """Success and violation rates over all training episodes (Tables 1 and 2)."""
    count = max(1, len(rows))
    return {
        "episodes": len(rows),
        "success_rate": sum(row.success for row in rows) / count,
        "violation_rate": sum(row.violation for row in rows) / count,
    }
