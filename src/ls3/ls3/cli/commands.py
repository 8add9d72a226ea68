"""The commands of `ls3`: one class each, with its options.

`ls3 --help` and completions import all classes, so a command imports what it needs only when it is
executed: PyTorch alone takes seconds.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import tyro

from ls3.cli import data_commands, demonstrations
from ls3.cli import study_commands as studies
from ls3_common.errors import UserError
from ls3_common.progress import Interrupted

if TYPE_CHECKING:
    from ls3.learning.algorithm import Source
    from ls3.runs.domains import Domain
    from ls3_models.agent import Agent
    from ls3_models.offline import OfflineTraining


@dataclass(kw_only=True)
class Common:
    """Options of every command."""

    domain: str = "cable_routing"
    """Which task; a configuration file of this name must exist."""
    config: Path | None = None
    """Another configuration file than the domain's own."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter: SECTION.KEY=VALUE, e.g. planner_node.horizon=3. May be repeated."""
    seed: int = 0
    """Decides every random draw."""

    def load(self) -> Domain:
        from ls3.runs.domains import load_domain

        return load_domain(self.domain, self.config, self.set)


@dataclass(kw_only=True)
class MethodOption(Common):
    method: str = "ls3"
    """Which agent, and with which settings: ls3, or another of ls3/runs/methods.py."""

    def load(self) -> Domain:
        from ls3.runs.methods import load_method

        return load_method(self.domain, self.method, self.config, self.set)


@dataclass(kw_only=True)
class DataOption(Common):
    data: Path | None = None
    """Directory of episodes; by default data/<domain>."""

    @property
    def data_directory(self) -> Path:
        return self.data or Path("data") / self.domain


@dataclass(kw_only=True)
class Collect(DataOption):
    """Collect demonstrations, random and constraint-violating data."""

    def execute(self) -> None:
        from ls3.learning.collect import collect
        from ls3.runs import dataset
        from ls3_models.episodes import list_episodes
        from ls3_sim.registration import make_environment

        domain = self.load()
        dataset.claim(self.data_directory, domain)
        env = make_environment(domain.spec)
        added = collect(env, domain.algorithm, self.data_directory, seed=self.seed)
        env.close()
        total = len(list_episodes(self.data_directory))
        print(f"{self.data_directory}: {total} episodes, {added} of them new")


@dataclass(kw_only=True)
class Train(MethodOption, DataOption):
    """Train the VAE and all latent models offline (Algorithm 1, lines 1 and 2)."""

    run: Path | None = None
    """Directory of this training; by default runs/<domain>/<method>/seed_<seed>. Begun before:
    goes on from there."""
    offline: Path | None = None
    """Another run's directory: what would be trained to the same is taken over from it, which is
    only read. Or a model's: its VAE is. A run that has begun does not look there again."""

    def execute(self) -> None:
        from ls3.learning.model_files import write_model
        from ls3.runs.run_directory import exclusive

        domain = self.load()
        directory = self.run_directory(domain)
        with exclusive(directory):
            agent, training = self.train(domain, directory)
            write_model(directory / "offline_model", agent, training, [], self.seed)
        print(f"{directory / 'offline_model'}: trained in {training.seconds:.0f} s")

    def run_directory(self, domain: Domain) -> Path:
        from ls3.runs.methods import default_run

        return self.run or default_run(domain, self.method, self.seed, self.config)

    def train(self, domain: Domain, directory: Path) -> tuple[Agent, OfflineTraining]:
        """Offline training, taken over or gone on with as far as there is any."""
        from ls3.runs import dataset
        from ls3.runs.methods import find_method, run_name
        from ls3.runs.run_directory import describe_run
        from ls3_models.data_hash import data_hash
        from ls3_models.offline import OfflineTraining
        from ls3_models.offline_data import OfflineData

        kind = find_method(self.method).kind
        if self.offline is not None and kind.take_over is None:
            raise UserError(
                f"method '{self.method}' takes nothing over from another run",
                do="leave --offline out",
            )
        spec = domain.data_spec
        episodes = dataset.read_data(self.data_directory, spec)
        data = OfflineData.split(spec, episodes, data_hash(self.data_directory))
        agent = kind.make(domain.settings(kind.sections), data, self.seed)
        training = OfflineTraining(agent, data, directory, seed=self.seed)
        describe_run(
            directory,
            domain,
            name=run_name(domain, self.method, self.config),
            method=self.method,
            seed=self.seed,
            data_hash=data.digest,
            demonstrations=[e for e in episodes if e.source == "demonstration"],
        )
        if self.offline is not None and kind.take_over is not None:
            training.start_from(self.offline, kind.take_over)
        training.run()
        return agent, training


@dataclass(kw_only=True)
class Learn(Train):
    """Train offline if that is not done, then learn online (all of Algorithm 1)."""

    def execute(self) -> None:
        from ls3.learning import algorithm
        from ls3_sim.registration import make_environment

        domain = self.load()
        env = make_environment(domain.spec)
        stop_on_success = domain.algorithm.stop_on_success
        self.learn(domain, algorithm.in_process(env, stop_on_success=stop_on_success))
        env.close()

    def learn(self, domain: Domain, source: Source) -> None:
        """All of Algorithm 1, with online episodes from `source`."""
        from ls3.learning import algorithm
        from ls3.learning.model_files import write_model
        from ls3.runs.run_directory import exclusive

        directory = self.run_directory(domain)
        with exclusive(directory):
            agent, training = self.train(domain, directory)
            online = algorithm.OnlineLearning(
                agent, domain.algorithm, source, training, directory / "online", seed=self.seed
            )
            online.run()
            write_model(directory / "model", agent, training, online.curve(), self.seed)
        print(json.dumps(algorithm.training_rates(online.rows), indent=1))


@dataclass(kw_only=True)
class Evaluate(MethodOption):
    """Measure a model over episodes with seeds of their own."""

    model: Path | None = None
    """Directory of a model; by default the one shipped for the domain."""
    episodes: int = 50
    vary: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Vary the scene: NAME=VALUE, of the domain's variations, e.g. start_jitter=0.02. May be
    repeated."""
    out: Path | None = None
    """Also write the figures there as JSON; missing folders are made."""

    def execute(self) -> None:
        from ls3.learning import environment
        from ls3.learning.model_files import find_model
        from ls3.learning.policy import evaluate, summarise
        from ls3.runs.methods import find_method
        from ls3.studies.stats import intervals, recorded
        from ls3_common.files import write_json
        from ls3_common.parameter_files import parse_values
        from ls3_sim.registration import make_environment

        domain = self.load()
        kind = find_method(self.method).kind
        model = find_model(self.model, domain.name, shipped=kind.shipped)
        policy = kind.load(model, domain.settings(kind.sections), domain.data_spec)
        env = make_environment(domain.spec, **parse_values(self.vary))
        seeds = [environment.seed_of(self.seed, "evaluate", i) for i in range(self.episodes)]
        episodes = evaluate(env, policy, seeds)
        env.close()
        figures = {
            **summarise(episodes),
            **intervals(episodes, domain.algorithm.horizon),
            **recorded(episodes),
        }
        if self.out:
            write_json(self.out, figures)
        print(json.dumps(figures, indent=1))


@dataclass(kw_only=True)
class Measure(Common):
    """Measure a model in process and through the ROS graph; writes results/<domain>.json."""

    model: Path | None = None
    """Directory of a model; by default the one shipped for the domain."""
    episodes: int = 50
    only: list[str] = field(default_factory=list)
    """Only these blocks; by default all that are missing in the file."""
    out: Path | None = None
    """The file; by default results/<domain>.json."""

    def execute(self) -> None:
        from ls3.learning.model_files import shipped_or
        from ls3.runs.provenance import git_commit
        from ls3.studies.measure import Measurement
        from ls3_sim.registration import make_environment

        domain = self.load()
        bundle = shipped_or(self.model, domain)
        env = make_environment(domain.spec)
        path = self.out or Path("results") / f"{domain.name}.json"
        measurement = Measurement(
            domain, bundle, env, path, episodes=self.episodes, commit=git_commit()
        )
        measurement.run(self.only)
        env.close()
        print(f"{path}: {json.dumps(measurement.document['metrics'], indent=1)}")


class Subcommand(Protocol):
    """What tyro makes of the command line."""

    def execute(self) -> None: ...


COMMANDS: dict[str, Any] = {
    "collect": Collect,
    "train": Train,
    "learn": Learn,
    "evaluate": Evaluate,
    "measure": Measure,
    "results": studies.Results,
    "report": studies.Report,
    "sweep": studies.Sweep,
    "data": data_commands.Data,
    "demonstrations": demonstrations.Demonstrations,
}


def run(arguments: list[str] | None = None) -> int:
    """Parse and execute; returns the exit code."""
    description = "Latent Space Safe Sets: collect data, train, learn online, evaluate, compare."

    def work() -> None:
        command: Subcommand = tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="ls3", description=description, args=arguments
        )
        command.execute()

    return guarded(work)


def guarded(work: Callable[[], None]) -> int:
    """Do it; returns the exit code. A user's mistake is one message, a stop no traceback."""
    try:
        work()
    except UserError as error:
        print(f"ls3: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        print(
            f"ls3: {error}\n  -> mend that: all but the episode or update at hand is kept, and "
            "the same command goes on from there",
            file=sys.stderr,
        )
        return 2
    except (Interrupted, KeyboardInterrupt):
        print("ls3: stopped, nothing is lost; the same command goes on from here", file=sys.stderr)
        return 130
    return 0
