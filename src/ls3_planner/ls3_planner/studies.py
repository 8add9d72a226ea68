"""The commands of `ls3` that look at many runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
