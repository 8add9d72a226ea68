"""The commands of `ls3` that look at many runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ls3_common.errors import UserError
from ls3_planner import results
from ls3_planner.files import read_json


@dataclass(kw_only=True)
class Results:
    """Gather training runs into results/training_<domain>_<method>.json."""

    runs: Path = Path("runs")
    """Directory that holds <domain>/<method>/seed_<seed>."""
    out: Path = Path("results")

    def execute(self) -> None:
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
            from ls3_planner.report import write_report
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            raise UserError(
                "the report needs matplotlib", do="pip install 'ls3_planner[report]'"
            ) from None
        write_report(self.results, self.runs, self.out, self.media or self.out.parent / "media")
        print(f"{self.out} is written")
