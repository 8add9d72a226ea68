"""`ls3`: collect data, train offline, learn online, evaluate. None of it needs ROS."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

import ls3_models

ls3_models.let_threads_spin()  # before the lines below import torch

from ls3_common.errors import DataError, UserError  # noqa: E402
from ls3_models.bundle import Bundle, load_bundle, save_bundle  # noqa: E402
from ls3_models.episodes import data_hash, list_episodes, read_episodes  # noqa: E402
from ls3_models.learner import NonFiniteLoss  # noqa: E402
from ls3_models.offline import OfflineTraining  # noqa: E402
from ls3_models.progress import Interrupted  # noqa: E402
from ls3_planner import algorithm, environment, evaluate  # noqa: E402
from ls3_planner.cem import Planner  # noqa: E402
from ls3_planner.collect import collect  # noqa: E402
from ls3_planner.domains import Domain, find_shared, load_domain  # noqa: E402
from ls3_planner.measure import Measurement  # noqa: E402


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
        return load_domain(self.domain, self.config, self.set)


@dataclass(kw_only=True)
class DataOption(Common):
    data: Path | None = None
    """Directory of episodes; by default data/<domain>."""

    @property
    def data_directory(self) -> Path:
        return self.data or Path("data") / self.domain


@dataclass(kw_only=True)
class Run(DataOption):
    run: Path | None = None
    """Directory of this training; by default runs/<domain>. Begun before: goes on from there."""

    @property
    def run_directory(self) -> Path:
        return self.run or Path("runs") / self.domain


@dataclass(kw_only=True)
class Collect(DataOption):
    """Collect demonstrations, random and constraint-violating data."""

    def execute(self) -> None:
        domain = self.load()
        env = environment.make(domain.algorithm.environment)
        added = collect(env, domain.algorithm, self.data_directory, seed=self.seed)
        env.close()
        total = len(list_episodes(self.data_directory))
        print(f"{self.data_directory}: {total} episodes, {added} of them new")


@dataclass(kw_only=True)
class Train(Run):
    """Train the VAE and all latent models offline (Algorithm 1, lines 1 and 2)."""

    def execute(self) -> None:
        domain = self.load()
        training = self._offline(domain)
        training.run()
        write_bundle(self.run_directory / "offline_model", domain, training, [], self.seed)
        print(f"{self.run_directory / 'offline_model'}: trained in {training.seconds:.0f} s")

    def _offline(self, domain: Domain) -> OfflineTraining:
        env = environment.make(domain.algorithm.environment)
        spec = environment.spec_of(env, domain.name)
        env.close()
        episodes = read_episodes(self.data_directory)
        return OfflineTraining(
            domain.learner,
            spec,
            episodes,
            self.run_directory,
            seed=self.seed,
            data_hash=data_hash(self.data_directory),
        )


@dataclass(kw_only=True)
class Learn(Train):
    """Train offline if that is not done, then learn online (all of Algorithm 1)."""

    def execute(self) -> None:
        domain = self.load()
        training = self._offline(domain)
        training.run()
        env = environment.make(domain.algorithm.environment)
        directory = self.run_directory / "online"
        online = algorithm.OnlineLearning(domain, env, training, directory, seed=self.seed)
        online.run()
        env.close()
        write_bundle(self.run_directory / "model", domain, training, online.curve(), self.seed)
        print(json.dumps(algorithm.training_rates(online.rows), indent=1))


@dataclass(kw_only=True)
class Evaluate(Common):
    """Measure a model over episodes with seeds of their own."""

    model: Path | None = None
    """Directory of a model; by default the one shipped for the domain."""
    episodes: int = 50
    out: Path | None = None
    """Also write the figures there as JSON; missing folders are made."""

    def execute(self) -> None:
        domain = self.load()
        bundle = shipped_or(self.model, domain)
        env = environment.make(domain.algorithm.environment)
        policy = evaluate.PlannerPolicy(bundle, Planner(bundle, domain.planner))
        seeds = [environment.seed_of(self.seed, "evaluate", i) for i in range(self.episodes)]
        episodes = evaluate.evaluate(env, policy, seeds)
        env.close()
        figures = {
            **evaluate.summarise(episodes),
            **evaluate.spread("plan_ms", policy.plan_ms),
            "holds": policy.holds,
        }
        text = json.dumps(figures, indent=1)
        if self.out:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(text + "\n")
        print(text)


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
        domain = self.load()
        bundle = shipped_or(self.model, domain)
        env = environment.make(domain.algorithm.environment)
        path = self.out or Path("results") / f"{domain.name}.json"
        measurement = Measurement(
            domain, bundle, env, path, episodes=self.episodes, commit=git_commit()
        )
        measurement.run(self.only)
        env.close()
        print(f"{path}: {json.dumps(measurement.document['metrics'], indent=1)}")


def shipped_or(model: Path | None, domain: Domain) -> Bundle:
    """The model of a directory, or the domain's shipped one.

    Raises:
        DataError: there is none, or it is of another domain.
    """
    path = model or find_shared(f"models/{domain.name}")
    if path is None:
        raise DataError(
            f"no model is shipped for '{domain.name}'",
            do="train one with `ls3 learn`, give --model",
        )
    bundle = load_bundle(path)
    if bundle.domain != domain.name:
        raise DataError(f"a model of '{bundle.domain}', not of '{domain.name}'", where=str(path))
    return bundle


def write_bundle(
    path: Path, domain: Domain, training: OfflineTraining, curve: list[dict[str, Any]], seed: int
) -> Bundle:
    """Save the learner's present models with how they came to be."""
    demonstrations = [e for e in training.training if e.source == "demonstration"]
    steps = evaluate.summarise(demonstrations)["mean_steps"] if demonstrations else None
    return save_bundle(
        algorithm.live_bundle(training.learner, training.spec),
        path,
        created=evaluate.now(),
        command="ls3 " + " ".join(sys.argv[1:]),
        commit=git_commit(),
        seed=seed,
        data_hash=training.identity["data_hash"],
        training_seconds=round(training.seconds),
        demonstrator_mean_steps=steps,
        offline_curves=training.curves(),
        online_curve=curve,
    )


def git_commit() -> str:
    """Commit of the source tree, '' outside one, with a '+' where files differ from it."""
    try:
        here = Path(__file__).resolve().parent
        run = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; a user's mistake is one message and exit code 2."""
    commands: dict[str, Any] = {
        "collect": Collect,
        "train": Train,
        "learn": Learn,
        "evaluate": Evaluate,
        "measure": Measure,
    }
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            commands, prog="ls3", description=__doc__, args=arguments
        )
        command.execute()
    except UserError as error:
        print(f"ls3: {error}", file=sys.stderr)
        return error.exit_code
    except NonFiniteLoss as error:
        print(f"ls3: {error}; the last checkpoint is good, lower the rate", file=sys.stderr)
        return 1
    except (Interrupted, KeyboardInterrupt):
        print("ls3: stopped, nothing is lost; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
