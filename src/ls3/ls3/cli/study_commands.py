"""The commands of `ls3` that start, gather or show many runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ls3.cli.options import CommonOptions, at_least_one
from ls3_common.errors import UserError


@dataclass(kw_only=True)
class Results:
    """Gather training runs into results/training_<domain>_<method>.json. Seeds that such a file
    holds already are kept.
    """

    runs: Path = Path("runs")
    """Directory that holds <domain>/<method>/seed_<seed>."""
    out: Path = Path("results")
    """Directory of the files to write."""

    def execute(self) -> None:
        """Write the files and print one line for each."""
        from ls3.studies import results
        from ls3_common.files import read_json

        for path in results.gather(self.runs, self.out):
            metrics = read_json(path)["metrics"]
            print(
                f"{path}: {len(metrics['seeds'])} seeds, "
                f"{metrics['episodes']} of {metrics['episodes_planned']} episodes, "
                f"success {metrics['success_rate']:.3f} ± {metrics['success_se']:.3f}, "
                f"violations {metrics['violation_rate']:.3f} ± {metrics['violation_se']:.3f}"
            )


@dataclass(kw_only=True)
class Report:
    """Write docs/report.html and its pictures from results/ and the models in runs/."""

    results: Path = Path("results")
    """Directory of the files that `ls3 results` wrote."""
    runs: Path = Path("runs")
    """Directory of runs, for their models. For a domain without a run, the shipped model is
    shown."""
    out: Path = Path("docs/report.html")
    """The page to write."""
    media: Path | None = None
    """Directory of the pictures; by default media/ beside the page."""

    def execute(self) -> None:
        """Write the page and its pictures."""
        with _needing_matplotlib("the report"):
            from ls3.studies.report import write_report
        write_report(self.results, self.runs, self.out, self.media or self.out.parent / "media")
        print(f"{self.out} is written")


@dataclass(kw_only=True)
class Sweep:
    """Learn with several methods, seeds and domains in parallel, as Ray tasks. Run the command
    again to continue after an interruption.
    """

    domains: list[str] = field(default_factory=lambda: ["navigation"])
    """Names of the tasks."""
    config: Path | None = None
    """Configuration file of a single task, to read instead of config/<domain>.yaml."""
    methods: list[str] = field(default_factory=lambda: ["ls3"])
    """Names of the methods, as for `ls3 learn --method`."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Seeds of the runs."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter in all runs: SECTION.KEY=VALUE. May be repeated."""
    vary: list[str] = field(default_factory=list)
    """Also run LS3 with each of these values of one parameter, e.g. planner_node.horizon=1,3
    (section 7.5)."""
    vae: Literal["own", "first", "shipped"] = "own"
    """Whose VAE a seed has: one of its own, that of the first seed, or that of the model that is
    shipped for the domain."""
    address: str | None = None
    """Address of a Ray cluster; by default the tasks run on this machine."""
    workers: int | None = None
    """Number of parallel runs on this machine; by default as many as its cores allow."""
    threads: int = 1
    """Number of threads of each run. It changes results in the last digits."""
    retries: int = 3
    """How often a task is started again after its worker died."""

    def execute(self) -> None:
        """Run all tasks and print one line as each one ends."""
        from ls3.studies import sweep

        if self.config is not None and len(self.domains) != 1:
            raise UserError("--config is of one task", do="give this task with --domains")
        plan = sweep.SweepPlan(
            self.domains,
            self.methods,
            self.seeds,
            self.set,
            self.vary,
            self.vae,
            self.config,
        )
        sweep.run(
            plan.tasks(),
            address=self.address,
            workers=self.workers,
            threads=self.threads,
            retries=self.retries,
            report=lambda text: print(text, flush=True),
        )


@dataclass(kw_only=True)
class Robustness:
    """Evaluate models under variations of scene, camera and arm, and draw the rates. Run the
    command again to continue after an interruption.
    """

    domains: list[str] = field(default_factory=list)
    """Names of the tasks; by default all of the study."""
    rows: list[str] = field(default_factory=list)
    """Names of rows of the study; by default all of each domain."""
    study: Path | None = None
    """YAML file of the rows; by default ls3/studies/robustness.yaml."""
    model: Path | None = None
    """Directory of the model, for a single domain; by default the model shipped for each domain."""
    episodes: int | None = None
    """Number of episodes of each row; by default as the study says."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter: SECTION.KEY=VALUE. May be repeated."""
    out: Path = Path("results/robustness.json")
    """File of the results. Other domains and rows in it are kept."""
    picture: Path = Path("docs/media/robustness.png")
    """The picture to write."""
    work: Path = Path("out/robustness")
    """Directory of the episodes, from which the command continues."""

    def execute(self) -> None:
        """Evaluate the rows, and write the results and the picture."""
        from ls3.learning.model_files import load_given_or_shipped
        from ls3.runs.domains import load_domain
        from ls3.studies import robustness
        from ls3_common.domain import ENVIRONMENT
        from ls3_common.files import read_json, refuse_unwritable

        with _needing_matplotlib("the picture"):
            from ls3.studies import figures
        if any(text.startswith(f"{ENVIRONMENT}.") for text in self.set):
            raise UserError(
                "a study names its variations itself", where="--set", do="give --study a file"
            )
        for path in (self.out, self.picture):
            refuse_unwritable(path)
        studies = robustness.read_studies(self.study)
        names = self.domains or list(studies)
        _need_known(names, studies, "domain")
        if self.model is not None and len(names) != 1:
            raise UserError("--model is of one domain", do="give this domain with --domains")
        _need_known(self.rows, {row for name in names for row in studies[name].rows}, "row")
        parts = []
        for name in names:
            domain = load_domain(name, overrides=self.set)
            bundle = load_given_or_shipped(self.model, domain)
            study = studies[name].only(self.rows, self.episodes)
            if study.rows:
                parts.append(robustness.RobustnessStudy(domain, bundle, study, self.work))
        if not parts:
            raise UserError(f"none of {', '.join(names)} has such a row", where="--rows")
        robustness.run(parts, self.out)
        print(f"{self.out} is written")
        domains = read_json(self.out)["domains"]
        figures.write_figure(self.picture, figures.robustness(domains))
        print(f"{self.picture} is written")


@dataclass(kw_only=True)
class Measure(CommonOptions):
    """Measure a model in process and through the ROS graph, and write results/<domain>.json."""

    model: Path | None = None
    """Directory of the model; by default the model shipped for the domain."""
    episodes: int = 50
    """Number of episodes of each block."""
    only: list[str] = field(default_factory=list)
    """Blocks to measure, of those that the file lacks; by default all of these."""
    out: Path | None = None
    """File to write; by default results/<domain>.json."""

    def execute(self) -> None:
        """Measure the blocks that the file lacks, and print all figures."""
        from ls3.learning.model_files import load_given_or_shipped
        from ls3.runs.provenance import git_commit
        from ls3.studies.measure import Measurement
        from ls3_common.files import refuse_unwritable
        from ls3_sim.registration import make_task

        at_least_one(self.episodes, "--episodes")
        domain = self.load()
        path = self.out or Path("results") / f"{domain.name}.json"
        refuse_unwritable(path)
        bundle = load_given_or_shipped(self.model, domain)
        env = make_task(domain.spec, domain.variations)
        measurement = Measurement(
            domain, bundle, env, path, episodes=self.episodes, commit=git_commit()
        )
        measurement.run(self.only)
        env.close()
        print(f"{path}: {json.dumps(measurement.document['metrics'], indent=1)}")


@dataclass(kw_only=True)
class CampaignOfRuns:
    """Run the list behind all tables and figures of online learning, from one clean commit, below
    the present directory. Run the command again to continue after an interruption.
    """

    file: Path | None = None
    """YAML file of the list; by default ls3/studies/campaign.yaml."""
    dry_run: bool = False
    """Print the tasks that are left, and run none."""
    workers: int = 2
    """Number of tasks at once, each on one thread and at the lowest priority."""
    out: Path = Path("results")
    """Directory of the results files, which are written as runs end."""

    def execute(self) -> None:
        """Run all tasks that are not done, and gather their results."""
        from ls3.runs.run_directory import exclusive
        from ls3.studies import campaign, results
        from ls3_common.files import refuse_unwritable

        at_least_one(self.workers, "--workers")
        tasks, minutes = campaign.read_campaign(self.file)
        runs = Path("runs")
        runner = campaign.Runner(tasks, minutes, runs, campaign.clean_commit())
        if self.dry_run:
            for task, long in zip(tasks, minutes, strict=True):
                if task.words not in runner.done:
                    print(f"{long:4g} min  ls3 {shlex.join(task.words)}")
            return
        refuse_unwritable(self.out / "results.json")
        with exclusive(runs):
            runner.run(self.workers, lambda: results.gather(runs, self.out))
        print(f"all {len(tasks)} tasks are done; figures in {self.out}")


def _need_known(names: Collection[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise UserError(
                f"the study has no {what} '{name}'", do=f"there are: {', '.join(known)}"
            )


@contextmanager
def _needing_matplotlib(what: str) -> Iterator[None]:
    """Say what to install if an import in the block fails for want of matplotlib."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise UserError(f"{what} needs matplotlib", do="pip install 'ls3[report]'") from None
