"""The commands of `ls3` that look at many runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ls3_common.errors import UserError


@dataclass(kw_only=True)
class Results:
    """Gather training runs into results/training_<domain>_<method>.json, beside seeds it has."""

    runs: Path = Path("runs")
    """Directory that holds <domain>/<method>/seed_<seed>."""
    out: Path = Path("results")

    def execute(self) -> None:
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
    """Write docs/report.html and its pictures from results/ and the models of runs/."""

    results: Path = Path("results")
    runs: Path = Path("runs")
    """Directory of runs, for their models; without any the shipped models are shown."""
    out: Path = Path("docs/report.html")
    media: Path | None = None
    """Directory of the pictures; by default media/ beside the page."""

    def execute(self) -> None:
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
    """Learn with several methods, seeds and domains at once, as Ray tasks; may be called again."""

    domains: list[str] = field(default_factory=lambda: ["navigation"])
    methods: list[str] = field(default_factory=lambda: ["ls3"])
    seeds: list[int] = field(default_factory=lambda: [0])
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter in all runs: SECTION.KEY=VALUE. May be repeated."""
    vary: list[str] = field(default_factory=list)
    """Also LS3 with one parameter changed: planner_node.horizon=1,3 (section 7.5)."""
    one_vae: bool = False
    """Train the VAE with the first seed only; the other seeds take it over."""
    address: str | None = None
    """A Ray cluster; by default this machine."""
    workers: int | None = None
    """Runs at a time on this machine; by default as many as its cores allow."""
    threads: int = 1
    """Of each run; results depend on their number in the last digits."""
    retries: int = 3
    """How often a task is run again whose worker has died."""

    def execute(self) -> None:
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
