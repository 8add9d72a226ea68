"""`ls3 demonstrations`: records bags, imports them, trains on them and evaluates the model."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ls3.cli.data_commands import Import
from ls3.cli.options import at_least_one
from ls3_common.errors import UserError

DOMAIN = "cable_routing"
"""The only domain whose episodes come from bags."""
STAGES = ("record", "train", "evaluate")
"""The stages, in order. Every stage continues where an earlier call ended."""


@dataclass(kw_only=True)
class Demonstrations:
    """Train cable routing from bags alone. A scripted operator drives the simulated arm through the
    running graph, the graph is recorded, and the bags are imported. Run the command again to
    continue after an interruption.
    """

    out: Path = Path("out/demonstrations")
    """Directory of the bags, the data and the run."""
    demonstrations: int = 50
    """Number of successful demonstrations. One that misses the goal is replaced."""
    random: int = 20
    """Number of episodes with random actions."""
    constraint: int = 15
    """Number of episodes that head for the obstacle."""
    per_bag: int = 10
    """Number of episodes in one recording."""
    real_time_factor: float = 3.0
    """Simulated seconds per second of wall time. A slow computer reaches less."""
    only: Literal["all", "record", "train", "evaluate"] = "all"
    """Run one stage only. The stages before it must be complete."""
    episodes: int = 50
    """Number of episodes of the evaluation, which runs in process."""
    results: Path = Path("results/demonstrations.json")
    """File of the results."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter: SECTION.KEY=VALUE. May be repeated."""
    seed: int = 0
    """Seed of all random numbers."""

    def execute(self) -> None:
        """Run the chosen stages."""
        from ls3.runs.run_directory import exclusive

        counts = {name: getattr(self, name) for name in ("demonstrations", "random", "constraint")}
        if min(*counts.values(), self.per_bag, self.episodes) < 0 or self.per_bag < 1:
            raise UserError(
                "a number of episodes is negative, or --per-bag is less than 1",
                do="give numbers of episodes of 0 or more, and --per-bag of 1 or more",
            )
        at_least_one(self.episodes, "--episodes")
        with exclusive(self.out):
            for stage in STAGES:
                if self.only in ("all", stage):
                    getattr(self, f"_{stage}")()

    @property
    def _bags(self) -> Path:
        return self.out / "bags"

    @property
    def _data(self) -> Path:
        return self.out / "data"

    @property
    def _model(self) -> Path:
        from ls3_common.model_facts import OFFLINE_MODEL

        return self.out / "run" / OFFLINE_MODEL

    def _record(self) -> None:
        from ls3.data.bag_sessions import Sessions, interleaved
        from ls3.runs.domains import load_domain
        from ls3_models.episodes import list_episodes

        counts = {
            "demonstration": self.demonstrations,
            "random": self.random,
            "constraint": self.constraint,
        }
        domain = load_domain(DOMAIN, overrides=self.set)
        if domain.variations != load_domain(DOMAIN).variations:
            raise UserError(
                "the graph takes its variations from the installed parameter file",
                where="--set",
                do=f"change them in config/{DOMAIN}.yaml",
            )
        steps = domain.algorithm.horizon
        self._bags.mkdir(parents=True, exist_ok=True)
        sessions = Sessions(self._bags, self._data, self.seed)
        sessions.record(
            interleaved(counts), self.per_bag, steps, self.real_time_factor, self._import
        )
        print(f"{self._data}: {len(list_episodes(self._data))} episodes", flush=True)

    def _import(self, bag: Path) -> None:
        try:
            Import(recordings=(bag,), out=self._data, domain=DOMAIN).execute()
        except UserError as error:
            print(f"{bag}: {error}", flush=True)  # the missing episodes are recorded again

    def _train(self) -> None:
        _ls3(self._train_words(), self._model)

    def _evaluate(self) -> None:
        from ls3_common.files import read_json, write_json

        figures = self.out / "evaluation.json"
        figures.unlink(missing_ok=True)
        _ls3(self._evaluate_words(), figures)
        write_json(self.results, self._document(read_json(figures)))
        print(f"{self.results} is written")

    def _train_words(self) -> list[str]:
        words = ["train", "--domain", DOMAIN, "--data", str(self._data)]
        words += ["--run", str(self._model.parent), "--seed", str(self.seed)]
        return [*words, *self._settings()]

    def _evaluate_words(self) -> list[str]:
        words = ["evaluate", "--domain", DOMAIN, "--model", str(self._model)]
        words += ["--episodes", str(self.episodes), "--out", str(self.out / "evaluation.json")]
        return [*words, "--seed", str(self.seed), *self._settings()]

    def _settings(self) -> list[str]:
        return [word for text in self.set for word in ("--set", text)]

    def _document(self, figures: dict[str, Any]) -> dict[str, Any]:
        """The document of the results: the figures of the evaluation and where they come from."""
        from ls3.data.import_report import summarise_import
        from ls3.runs.provenance import command_line, git_commit, machine
        from ls3_models.bundle import load_bundle

        record = ["demonstrations", "--only", "record", "--out", str(self.out)]
        for name in ("demonstrations", "random", "constraint", "per_bag", "seed"):
            record += [f"--{name.replace('_', '-')}", str(getattr(self, name))]
        every = (record, self._train_words(), self._evaluate_words())
        return {
            "name": "demonstrations",
            "command": command_line(),
            "commands": [shlex.join(["ls3", *words]) for words in every],
            "commit": git_commit(),
            "machine": machine(),
            "model": load_bundle(self._model).identity,
            "data": summarise_import(self._data),
            "metrics": figures,
        }


def _ls3(words: Sequence[str], product: Path) -> None:
    """Run one `ls3` command in a process of its own, which must write `product`.

    Raises:
        UserError: the command did not write `product`.
        Interrupted: on SIGINT or SIGTERM, which are passed on to the command.
    """
    from ls3_common.processes import launch

    launch([sys.executable, "-m", "ls3.cli.cli", *words], os.environ)
    if not product.exists():
        raise UserError(
            f"`ls3 {words[0]}` did not write this",
            where=str(product),
            do="see the message of that command above",
        )
