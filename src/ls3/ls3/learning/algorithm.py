"""Algorithm 1, lines 3 to 10: episodes and updates of any agent.

LS3 updates after K episodes, and U times. An agent that updates after every step learns from just
as many episodes. Every episode is a file before the next begins. The agent's state is saved after
every phase: the episodes between two checkpoints, K or a single one. An interrupted run reads the
episodes that its checkpoint knows, restores the state and goes on; with the same number of threads
it ends at the same weights as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium
from torch.utils.tensorboard import SummaryWriter

from ls3.learning.environment import run_episode, seed_of
from ls3.learning.policy import describe
from ls3_common import parameters
from ls3_common.files import write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models import resume
from ls3_models.agent import Agent, NonFiniteLoss, ObservedStep, steps_of
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode
from ls3_models.offline import OfflineTraining
from ls3_planner.config import AlgorithmConfig

CURVE = "curve.jsonl"


@dataclass(frozen=True)
class EpisodeRow:
    """One point of the learning curve; `counts` are the agent's own (`Agent.counted`)."""

    episode: int
    phase: int
    success: bool
    violation: bool
    steps: int
    total_reward: float
    counts: Mapping[str, int] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """As the curve's file has it: the counts beside the rest."""
        row = asdict(self)
        return row | row.pop("counts")


@dataclass(frozen=True)
class Ask:
    """For one online episode of `agent`, as it is after `phase` phases."""

    number: int
    phase: int
    seed: int
    agent: Agent
    observed: Callable[[ObservedStep], None]
    """To be called with every step of the episode: as soon as it is made, or at the end."""
    stopped: Callable[[], bool]
    """Whether a person wants to stop; an episode that can be left then raises Interrupted."""


Source = Callable[[Ask], Episode]
"""Runs one episode: in an environment of this process, or through a running graph."""


def in_process(env: gymnasium.Env, *, stop_on_success: bool) -> Source:
    """Episodes of an environment, in which the agent acts."""

    def run(ask: Ask) -> Episode:
        ask.agent.begin(ask.seed)
        episode = run_episode(
            env,
            ask.agent.act,
            source="online",
            seed=ask.seed,
            stop_on_success=stop_on_success,
            observed=ask.observed,
        )
        return replace(episode, attributes=ask.agent.record())

    return run


class OnlineLearning:
    """Goes on from a finished offline training; `directory` holds episodes, state and curve."""

    def __init__(
        self,
        agent: Agent,
        config: AlgorithmConfig,
        source: Source,
        offline: OfflineTraining,
        directory: Path,
        *,
        seed: int,
    ) -> None:
        """Go on from the directory's checkpoint, if there is one.

        Args:
            agent: the one that `offline` has trained.
            seed: decides the seed of every episode.

        Raises:
            DataError: the checkpoint or an episode is damaged, or the run was begun with other
                settings.
        """
        self.agent, self.config, self.source = agent, config, source
        self.directory, self.seed = directory, seed
        self.offline_directory = offline.directory
        algorithm = parameters.to_dict(config)
        del algorithm["updates"]  # a run may be continued with a larger U
        settings = agent.online_settings
        self.identity = {
            "agent": agent.name,
            **{name: parameters.to_dict(own) for name, own in settings.items()},
            "algorithm": algorithm,
            "offline": offline.identity,
            "seed": seed,
        }
        self._defaults = {
            **resume.DEFAULTS,
            **{name: parameters.defaults(type(own)) for name, own in settings.items()},
            "algorithm": parameters.defaults(type(config)),
            "offline": offline.defaults,
        }
        self.phase_length = config.trajectories if agent.update_after == "phase" else 1
        self.phase = 0
        self.rows: list[EpisodeRow] = []
        self._losses: Mapping[str, float] = {}
        self._resume()

    def run(self) -> None:
        """Learn until K episodes, U times, are done.

        Raises:
            Interrupted: on SIGINT or SIGTERM; the episodes and updates so far are kept.
            NonFiniteLoss: names the module, the update and the last good checkpoint.
            OSError: a file could not be written; the episode at hand is lost and no other.
        """
        total = self.config.trajectories * self.config.updates
        writer = SummaryWriter(str(self.directory), purge_step=len(self.rows) + 1)
        recent: list[Episode] = []
        kept = sum(self._is_kept(number) for number in range(total))
        with StopRequest() as stop, bar("learn", total, kept) as progress:
            while self.phase * self.phase_length < total:
                for index in range(self.phase_length):
                    number = self.phase * self.phase_length + index
                    new = not self._is_kept(number)
                    episode = self._episode(number, lambda: stop.requested)
                    recent = [*recent[-19:], episode]
                    self._log(writer)
                    progress.advance(f"last {len(recent)}: {describe(recent)}", steps=int(new))
                    if stop.requested and self.agent.update_after == "phase":
                        raise Interrupted
                if self.agent.update_after == "phase":
                    progress.advance(f"update {self.phase + 1}", steps=0)
                    self._update(f"update {self.phase + 1}")
                for name, value in self._losses.items():
                    writer.add_scalar(f"online/loss_{name}", value, len(self.rows))
                self.phase += 1
                resume.save(self.directory, self.agent, self.identity, phase=self.phase)
                if stop.requested:
                    raise Interrupted
        writer.close()

    def _episode(self, number: int, stopped: Callable[[], bool]) -> Episode:
        """Run episode `number`, or read it where an interrupted run has left it."""
        path = self._path(number)
        if self._is_kept(number):
            episode = read_episode(path)
            self._remember(number, episode)
            return episode
        seed = seed_of(self.seed, "online", number)
        ask = Ask(number, self.phase, seed, self.agent, self._observed, stopped)
        episode = self.source(ask)
        attributes = {**episode.attributes, "phase": self.phase}
        episode = replace(episode, attributes=attributes)
        write_episode(path.parent, path.stem, episode)
        self._add_row(number, episode)
        return episode

    def _path(self, number: int) -> Path:
        return self.directory / "episodes" / f"online_{number:05d}{SUFFIX}"

    def _is_kept(self, number: int) -> bool:
        """Whether the file of an episode makes it needless to run the episode once more.

        Not where the agent has learned inside the episode and no checkpoint knows of it.
        """
        known = self.agent.update_after == "phase" or number < self.phase * self.phase_length
        return known and self._path(number).exists()

    def _observed(self, step: ObservedStep) -> None:
        self.agent.observe(step)
        if self.agent.update_after == "step":
            self._update(f"episode {len(self.rows)}")

    def _remember(self, number: int, episode: Episode) -> None:
        """Show the agent an episode that it has been in before."""
        for step in steps_of(episode):
            self.agent.observe(step)
        self._add_row(number, episode)

    def _add_row(self, number: int, episode: Episode) -> None:
        counts = {name: int(episode.attributes.get(name, 0)) for name in self.agent.counted}
        self.rows.append(
            EpisodeRow(
                episode=number,
                phase=number // self.phase_length,
                success=episode.succeeded,
                violation=episode.violated,
                steps=episode.steps_to_goal or len(episode),
                total_reward=float(episode.rewards.sum()),
                counts=counts,
            )
        )

    def _update(self, when: str) -> None:
        try:
            self._losses = self.agent.update()
        except NonFiniteLoss as error:
            where = self.directory if self.phase else self.offline_directory
            raise NonFiniteLoss(
                f"{error.what}, {when}; the last good checkpoint is {where / resume.CHECKPOINT}"
            ) from None

    def _log(self, writer: SummaryWriter) -> None:
        row = self.rows[-1]
        for name in ("success", "violation", "steps", "total_reward"):
            writer.add_scalar(f"online/{name}", float(getattr(row, name)), row.episode)
        for name, count in row.counts.items():
            writer.add_scalar(f"online/{name}", float(count), row.episode)
        write_rows(self.directory / CURVE, self.curve())

    def _resume(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        description = resume.restore(self.directory, self.agent, self.identity, self._defaults)
        if description is None:
            return
        self.phase = int(description["phase"])
        for number in range(self.phase * self.phase_length):
            self._remember(number, read_episode(self._path(number)))

    def curve(self) -> list[dict[str, Any]]:
        """The learning curve as plain rows."""
        return [row.flat() for row in self.rows]


def training_rates(rows: Sequence[EpisodeRow]) -> dict[str, float]:
    """Success and violation rates over all training episodes (Tables 1 and 2)."""
    count = max(1, len(rows))
    return {
        "episodes": len(rows),
        "success_rate": sum(row.success for row in rows) / count,
        "violation_rate": sum(row.violation for row in rows) / count,
    }
