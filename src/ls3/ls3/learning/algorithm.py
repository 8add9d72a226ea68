"""Algorithm 1, lines 3 to 10: runs the online episodes and the updates of any agent.

A phase consists of the episodes between two checkpoints. LS3 runs U phases of K episodes and
updates its models after each phase. An agent that updates after every step runs as many episodes,
in phases of a single one. Every episode is written to a file before the next one begins.

An interrupted run restores the state of its last checkpoint and reads the episodes up to there.
With the same number of threads it ends at the same weights as a run that was not interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import gymnasium

from ls3.learning.board import Board
from ls3.learning.curve import CURVE, EpisodeRow
from ls3.learning.environment import run_episode
from ls3.learning.policy import describe
from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_common.files import write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_common.seeds import seed_of
from ls3_models import resume
from ls3_models.agent import Agent, NonFiniteLoss, ObservedStep, steps_of
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode
from ls3_models.offline import OfflineTraining
from ls3_planner.config import AlgorithmConfig

POLICIES = "policies"
"""Directory there of the policies on the way, each named by the number of episodes before it."""
KEPT_EVERY = 10
"""Number of episodes between two kept policies of an agent that learns after every step. Others
keep the policy of every phase."""


@dataclass(frozen=True)
class EpisodeRequest:
    """A request to run one online episode.

    number: number of the episode, from 0. phase: number of finished phases. seed: decides the
    episode's random numbers. agent: the agent that acts. on_step: must be called with every step of
    the episode, either at once or after the episode. stopped: returns whether a person wants to
    stop; an episode that can be broken off then raises Interrupted.
    """

    number: int
    phase: int
    seed: int
    agent: Agent
    on_step: Callable[[ObservedStep], None]
    stopped: Callable[[], bool]


Source = Callable[[EpisodeRequest], Episode]
"""Runs one episode, either in an environment of this process or through a running graph."""


def in_process(env: gymnasium.Env, *, stop_on_success: bool) -> Source:
    """Return a source that lets the agent act in an environment of this process."""

    def run(request: EpisodeRequest) -> Episode:
        request.agent.begin(request.seed)
        episode = run_episode(
            env,
            request.agent.act,
            source="online",
            seed=request.seed,
            stop_on_success=stop_on_success,
            on_step=request.on_step,
        )
        return replace(episode, attributes={**episode.attributes, **request.agent.record()})

    return run


def keep(directory: Path, number: int, phase: int, episode: Episode) -> Episode:
    """Write online episode `number` into `directory`, and return the episode with its phase."""
    attributes = {**episode.attributes, "phase": phase}
    episode = replace(episode, attributes=attributes)
    write_episode(directory, file_name(number), episode)
    return episode


def file_name(number: int) -> str:
    """Return the name of an online episode's file without its suffix."""
    return f"online_{number:05d}"


class EpisodePool(Protocol):
    """Runs the episodes of a phase ahead of the learner, and writes their files (`keep`)."""

    def begin(self, phase: int, agent: Agent, seeds: Mapping[int, int], directory: Path) -> None:
        """Begin to run episodes with the agent as it is now.

        Args:
            phase: number of finished phases.
            agent: the agent; its state will change only when all episodes have been waited for.
            seeds: the seed of each episode by the episode's number.
            directory: where to write the episodes.
        """

    def wait_for(self, number: int, stopped: Callable[[], bool]) -> None:
        """Wait until the file of episode `number` is written.

        Raises:
            Interrupted: `stopped` returned true, and the episode has not run.
        """


class OnlineLearning:
    """Learns online after a finished offline training.

    rows: the episodes so far. phase: number of finished phases.
    """

    def __init__(
        self,
        agent: Agent,
        config: AlgorithmConfig,
        source: Source,
        offline: OfflineTraining,
        directory: Path,
        *,
        seed: int,
        pool: EpisodePool | None = None,
    ) -> None:
        """Start from the directory's checkpoint if there is one, else from the offline training.

        Args:
            agent: the agent that `offline` has trained.
            config: K, U and the rules of an episode.
            source: runs the episodes, one after the other.
            offline: the finished offline training.
            directory: of episodes, checkpoint and curve.
            seed: decides the seed of every episode.
            pool: runs the episodes of a phase instead of `source`, if the agent learns after
                phases.

        Raises:
            DataError: the checkpoint or an episode is damaged, or the run was begun with other
                settings.
        """
        self.agent, self.config, self.source, self.pool = agent, config, source, pool
        self.directory, self.seed = directory, seed
        self.offline_directory = offline.directory
        algorithm = parameters.to_dict(config)
        del algorithm["updates"]  # a later call may ask for a larger U
        settings = agent.online_settings
        self._settings = {
            **{name: parameters.to_dict(own) for name, own in settings.items()},
            "algorithm": algorithm,
        }
        self.identity = {
            "agent": agent.name,
            **self._settings,
            "judgement": "fresh",  # of plans: docs/decisions/planning.md, record 204
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
        """Learn until all K x U episodes are done.

        Raises:
            Interrupted: on SIGINT or SIGTERM; the episodes and updates so far are kept.
            NonFiniteLoss: a loss is not finite; the text names the module, the update and the last
                good checkpoint.
            OSError: a file could not be written; only the present episode is lost.
        """
        total = self.config.trajectories * self.config.updates
        recent: list[Episode] = []
        kept = sum(self._is_kept(number) for number in range(total))
        with (
            StopRequest() as stop,
            bar("learn", total, kept) as progress,
            Board(self.offline_directory, len(self.rows)) as board,
        ):
            while self.phase * self.phase_length < total:
                self._keep_policy()
                first = self.phase * self.phase_length
                numbers = range(first, first + self.phase_length)
                to_run = {n: self._seed(n) for n in numbers if not self._is_kept(n)}
                if self.pool is not None:
                    self.pool.begin(self.phase, self.agent, to_run, self._episodes)
                for number in numbers:
                    new = number in to_run
                    episode = self._episode(number, lambda: stop.requested)
                    recent = [*recent[-19:], episode]
                    board.episode(self.rows[-1])
                    write_rows(self.directory / CURVE, self.curve())
                    progress.advance(f"last {len(recent)}: {describe(recent)}", steps=int(new))
                    if stop.requested and self.agent.update_after == "phase":
                        raise Interrupted
                if self.agent.update_after == "phase":
                    progress.advance(f"update {self.phase + 1}", steps=0)
                    self._update(f"update {self.phase + 1}")
                board.losses(self._losses, len(self.rows) - 1)
                if len(self.rows) % KEPT_EVERY == 0:
                    board.film(recent[-1], len(self.rows) - 1)
                self.phase += 1
                resume.save(self.directory, self.agent, self.identity, phase=self.phase)
                if stop.requested:
                    raise Interrupted
            board.settings(self._settings, self.rows)
        self._keep_policy()

    def _keep_policy(self) -> None:
        """Keep the policy that these episodes have led to, for `ls3 evaluate --checkpoints`."""
        episodes = self.phase * self.phase_length
        if self.agent.update_after == "phase" or episodes % KEPT_EVERY == 0:
            self.agent.save(self.directory / POLICIES / f"{episodes:05d}", {"episodes": episodes})

    def _episode(self, number: int, stopped: Callable[[], bool]) -> Episode:
        """Run episode `number`, or read the file that an interrupted run left of it."""
        path = self._path(number)
        if self.pool is not None and not self._is_kept(number):
            self.pool.wait_for(number, stopped)
        if self._is_kept(number):
            episode = read_episode(path)
            if episode.seed != self._seed(number):
                raise DataError(
                    f"an episode of seed {episode.seed}; this run's has {self._seed(number)}",
                    where=str(path),
                    do="delete this file, and the episode will run again",
                )
            self._remember(number, episode)
            return episode
        request = EpisodeRequest(
            number, self.phase, self._seed(number), self.agent, self._on_step, stopped
        )
        episode = keep(path.parent, number, self.phase, self.source(request))
        self._add_row(number, episode)
        return episode

    @property
    def _episodes(self) -> Path:
        return self.directory / "episodes"

    def _path(self, number: int) -> Path:
        return self._episodes / f"{file_name(number)}{SUFFIX}"

    def _seed(self, number: int) -> int:
        return seed_of(self.seed, "online", number)

    def _is_kept(self, number: int) -> bool:
        """Whether the file of an episode can be used instead of running the episode again.

        It cannot if the agent learned during the episode and no checkpoint contains these updates.
        """
        usable = self.agent.update_after == "phase" or number < self.phase * self.phase_length
        return usable and self._path(number).exists()

    def _on_step(self, step: ObservedStep) -> None:
        self.agent.observe(step)
        if self.agent.update_after == "step":
            self._update(f"episode {len(self.rows)}")

    def _remember(self, number: int, episode: Episode) -> None:
        """Show the agent the steps of an earlier episode again."""
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

    def _resume(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        description = resume.restore(self.directory, self.agent, self.identity, self._defaults)
        if description is None:
            return
        self.phase = int(description["phase"])
        for number in range(self.phase * self.phase_length):
            self._remember(number, read_episode(self._path(number)))

    def curve(self) -> list[dict[str, Any]]:
        """Return the learning curve, one mapping per episode."""
        return [row.flat() for row in self.rows]
