"""The commands of `ls3`. Each command is a class whose fields are its options.

`ls3 --help` and completions import all classes, so a command imports what it needs only when it is
executed: PyTorch alone takes seconds.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import tyro

from ls3.cli import (
    calibrate_guard_command,
    calibrate_risk_command,
    config_command,
    data_commands,
    demonstrations,
    evaluate_command,
    new_task_command,
    replay_command,
)
from ls3.cli import study_commands as studies
from ls3.cli.guard import guarded
from ls3.cli.options import DataOptions, MethodOptions, at_least_one
from ls3_common.errors import UserError

if TYPE_CHECKING:
    from ls3.learning.algorithm import EpisodePool, OnlineLearning, Source
    from ls3.runs.domains import Domain
    from ls3_models.agent import Agent
    from ls3_models.offline import OfflineTraining

SHIPPED = "shipped"
"""What --offline calls the domain's shipped model, so that no path of a machine stands in a run."""


@dataclass(kw_only=True)
class Collect(DataOptions):
    """Collect demonstrations, random episodes and episodes that violate a constraint."""

    def execute(self) -> None:
        """Collect the episodes that the data directory lacks."""
        from ls3.learning.collect import collect, counts
        from ls3.runs import dataset
        from ls3_models.episodes import list_episodes
        from ls3_sim.registration import make_task

        domain = self.load()
        kinds = [kind for kind, count in counts(domain.algorithm).items() if count]
        env = make_task(domain.spec, domain.variations, kinds=kinds)
        dataset.claim(self.data_directory, domain)
        added = collect(env, domain.algorithm, self.data_directory, seed=self.seed)
        env.close()
        total = len(list_episodes(self.data_directory))
        print(f"{self.data_directory}: {total} episodes, {added} of them new")


@dataclass(kw_only=True)
class Train(MethodOptions, DataOptions):
    """Train the VAE and all latent models offline (Algorithm 1, lines 1 and 2)."""

    run: Path | None = None
    """Directory of this training; by default runs/<domain>/<method>/seed_<seed>. A training that
    was interrupted continues from there."""
    offline: Path | None = None
    """Directory of another run or of a model, to be reused; "shipped": of the model that is shipped
    for the domain. From a run, everything that training would reproduce is copied; from a model,
    its VAE. The directory is only read, and only when this run begins."""

    def execute(self) -> None:
        """Train offline and write the model to ``offline_model`` in the run's directory."""
        from ls3.learning.model_files import write_model
        from ls3.runs.run_directory import exclusive
        from ls3_common.model_facts import OFFLINE_MODEL

        domain = self.load()
        directory = self.run_directory(domain)
        with exclusive(directory):
            agent, training = self.train(domain, directory)
            write_model(directory / OFFLINE_MODEL, agent, training, [], self.seed)
        print(f"{directory / OFFLINE_MODEL}: trained in {training.seconds:.0f} s")

    def run_directory(self, domain: Domain) -> Path:
        """The directory of this run: `run`, or its default."""
        from ls3.runs.methods import default_run

        return self.run or default_run(domain, self.method, self.seed, self.config)

    def train(self, domain: Domain, directory: Path) -> tuple[Agent, OfflineTraining]:
        """Train offline. What the run, or `offline`, holds already is not trained again.

        Raises:
            UserError: the method cannot reuse another run.
            DataError: the data, the run's checkpoint or `offline` is damaged or does not fit.
            ConfigError: a value is out of range.
            Interrupted: on SIGINT or SIGTERM; the run's checkpoint is kept.
        """
        from ls3.learning.model_files import find_encoder, find_model
        from ls3.runs import dataset
        from ls3.runs.coverage import coverage
        from ls3.runs.methods import find_method, run_name
        from ls3.runs.run_directory import describe_run
        from ls3_models.data_hash import data_hash
        from ls3_models.offline import OfflineTraining
        from ls3_models.offline_data import OfflineData

        kind = find_method(self.method).kind
        if self.offline is not None and kind.take_over is None:
            raise UserError(
                f"method '{self.method}' cannot reuse another run", do="leave --offline out"
            )
        spec = domain.data_spec
        dataset.refuse_other_variations(self.data_directory, domain)
        episodes = dataset.read_data(self.data_directory, spec)
        for doubt in coverage(episodes).check(
            str(self.data_directory),
            trajectories=domain.algorithm.trajectories,
            use_constraint=domain.planner.use_constraint,
        ):
            print(f"ls3: WARNING: {self.data_directory}: {doubt}", file=sys.stderr)
        data = OfflineData.split(spec, episodes, data_hash(self.data_directory))
        agent = kind.make(domain.settings(kind.sections), data, self.seed)
        training = OfflineTraining(
            agent, data, directory, seed=self.seed, variations=domain.variations
        )
        describe_run(
            directory,
            domain,
            name=run_name(domain, self.method, self.config),
            method=self.method,
            seed=self.seed,
            data_hash=data.digest,
            episodes=episodes,
        )
        if kind.take_over is not None:
            source = self.offline
            if source == Path(SHIPPED):
                source = find_model(None, domain.name)
            if source is None and kind.needs_model and not training.has_begun:
                source = find_encoder(domain.name)
            if source is not None:
                training.start_from(source, kind.take_over)
        training.run()
        return agent, training


@dataclass(kw_only=True)
class Learn(Train):
    """Run all of Algorithm 1: train offline, unless this is done, then learn online."""

    workers: int = 1
    """Number of processes that run the episodes of a phase at once, on one thread each; more than K
    have nothing to do. Results are those of one process with one thread (OMP_NUM_THREADS=1)."""

    def execute(self) -> None:
        """Learn in an environment of this process, or of the workers', and print the rates."""
        from ls3.learning.curve import training_rates

        print(json.dumps(training_rates(self.in_process().rows), indent=1))

    def in_process(self) -> OnlineLearning:
        """Learn in an environment of this process, or of the workers'.

        Raises:
            UserError, Interrupted: as `learn`.
        """
        from ls3.learning import algorithm
        from ls3_sim.registration import make_task

        at_least_one(self.workers, "--workers")
        domain = self.load()
        env = make_task(domain.spec, domain.variations)
        source = algorithm.in_process(env, stop_on_success=domain.algorithm.stop_on_success)
        if self.workers > 1:
            from ls3.learning.workers import WorkerPool

            with WorkerPool(domain, self.method, self.seed, self.workers) as pool:
                online = self.learn(domain, source, pool)
        else:
            online = self.learn(domain, source)
        env.close()
        return online

    def learn(
        self, domain: Domain, source: Source, pool: EpisodePool | None = None
    ) -> OnlineLearning:
        """Run all of Algorithm 1 with online episodes from `source`, or from `pool`.

        Raises:
            UserError, Interrupted: as `train`, and as `OnlineLearning.run`.
        """
        from ls3.learning import algorithm
        from ls3.learning.model_files import write_model
        from ls3.runs.run_directory import exclusive

        directory = self.run_directory(domain)
        with exclusive(directory):
            agent, training = self.train(domain, directory)
            online = algorithm.OnlineLearning(
                agent,
                domain.algorithm,
                source,
                training,
                directory / "online",
                seed=self.seed,
                pool=pool,
            )
            online.run()
            write_model(directory / "model", agent, training, online.curve(), self.seed)
        return online


class Subcommand(Protocol):
    """A command with its options, as tyro parses them from the command line."""

    def execute(self) -> None:
        """Execute the command."""


COMMANDS: dict[str, Any] = {
    "collect": Collect,
    "train": Train,
    "learn": Learn,
    "evaluate": evaluate_command.Evaluate,
    "measure": studies.Measure,
    "results": studies.Results,
    "report": studies.Report,
    "sweep": studies.Sweep,
    "campaign": studies.CampaignOfRuns,
    "robustness": studies.Robustness,
    "data": data_commands.Data,
    "calibrate-guard": calibrate_guard_command.CalibrateGuard,
    "calibrate-risk": calibrate_risk_command.CalibrateRisk,
    "config": config_command.Configuration,
    "replay": replay_command.ReplayBag,
    "demonstrations": demonstrations.Demonstrations,
    "new-task": new_task_command.NewTask,
}


def run(arguments: list[str] | None = None) -> int:
    """Parse the arguments (by default the process's), execute the command, return the exit code."""
    description = "Latent Space Safe Sets: collect data, train, learn online, evaluate, compare."

    def work() -> None:
        command: Subcommand = tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="ls3", description=description, args=arguments
        )
        command.execute()

    return guarded(work)
