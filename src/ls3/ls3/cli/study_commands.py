"""The commands of `ls3` that start, gather or show many runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

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
        try:
            from ls3.studies.report import write_report
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            raise UserError("the report needs matplotlib", do="pip install 'ls3[report]'") from None
        write_report(self.results, self.runs, self.out, self.media or self.out.parent / "media")
        print(f"{self.out} is written")


@dataclass(kw_only=True)
class Sweep:
    """Learn with several methods, seeds and domains in parallel, as Ray tasks. Run the command
    again to continue after an interruption.
    """

    domains: list[str] = field(default_factory=lambda: ["navigation"])
    """Names of the tasks."""
    methods: list[str] = field(default_factory=lambda: ["ls3"])
    """Names of the methods, as for `ls3 learn --method`."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Seeds of the runs."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter in all runs: SECTION.KEY=VALUE. May be repeated."""
    vary: list[str] = field(default_factory=list)
    """Also run LS3 with each of these values of one parameter, e.g. planner_node.horizon=1,3
    (section 7.5)."""
    one_vae: bool = False
    """Train the VAE with the first seed only, and reuse it for the other seeds."""
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

        plan = sweep.SweepPlan(
            self.domains, self.methods, self.seeds, self.set, self.vary, self.one_vae
        )
        sweep.run(
            plan.tasks(),
            address=self.address,
            workers=self.workers,
            threads=self.threads,
            retries=self.retries,
            report=lambda text: print(text, flush=True),
        )
