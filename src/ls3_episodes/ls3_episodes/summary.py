"""Figures of a run through the graph: one row per episode and ``summary.json``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ls3_common.files import write_json

FILE = "summary.json"


@dataclass(frozen=True)
class EpisodeOutcome:
    """One episode; `steps` counts up to the goal where it was reached, else all steps taken."""

    episode: int
    seed: int
    ran: bool  # to success, violation or T; false when a fault or a cancellation ended it
    success: bool
    violation: bool
    steps: int
    holds: int
    dropped: int  # plans the arm refused
    reason: str
    plan_ms_median: float | None
    wall_s: float
    file: str = ""


@dataclass
class RunSummary:
    """Collects the rows and timings of one run of `requested` episodes.

    demonstrator_mean_steps: of the model's training data; None where it is not known.
    """

    requested: int
    demonstrator_mean_steps: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    rows: list[EpisodeOutcome] = field(default_factory=list)
    plan_ms: list[float] = field(default_factory=list)
    frame_to_command_ms: list[float] = field(default_factory=list)
    """From the receipt of a camera frame to that of the arm's answer to its plan, wall time."""

    @property
    def complete(self) -> bool:
        """Whether every requested episode ran."""
        return len(self.ran) == self.requested

    @property
    def ran(self) -> list[EpisodeOutcome]:
        return [row for row in self.rows if row.ran]

    def to_dict(self) -> dict[str, Any]:
        """The figures, as they stand in the file. Means over nothing are null."""
        ran = self.ran
        steps = [row.steps for row in ran if row.success]
        return {
            "episodes": len(ran),
            "successes": sum(row.success for row in ran),
            "violations": sum(row.violation for row in ran),
            "mean_steps": statistics.mean(steps) if steps else None,
            "demonstrator_mean_steps": self.demonstrator_mean_steps,
            "plan_ms_median": rounded(median(self.plan_ms)),
            "frame_to_command_ms_p99": rounded(percentile(self.frame_to_command_ms, 99)),
            "requested": self.requested,
            "complete": self.complete,
            "holds": sum(row.holds for row in ran),
            "dropped": sum(row.dropped for row in ran),
            **self.context,
            "rows": [asdict(row) for row in self.rows],
        }

    def write(self, directory: str | Path) -> Path:
        """Write the file whole or not at all, and return its path."""
        path = Path(directory) / FILE
        write_json(path, self.to_dict())
        return path


def line(row: EpisodeOutcome, done: int, summary: RunSummary, elapsed_s: float) -> str:
    """One line of progress after `done` episodes in `elapsed_s` of wall time."""
    if not row.ran:
        outcome = f"did not run: {row.reason}"
    elif row.violation:
        outcome = f"violation at step {row.steps}"
    elif row.success:
        outcome = f"reached the goal in {row.steps} steps"
        if summary.demonstrator_mean_steps:
            outcome += f" (demonstrator {summary.demonstrator_mean_steps:.0f})"
    else:
        outcome = f"goal not reached in {row.steps} steps"
    plan = "-" if row.plan_ms_median is None else f"{row.plan_ms_median:.0f} ms"
    left = (summary.requested - done) * elapsed_s / done
    eta = f", {duration(left)} left" if done < summary.requested else ""
    dropped = f", {row.dropped} dropped" if row.dropped else ""
    return (
        f"episode {done}/{summary.requested} (seed {row.seed}): {outcome}; "
        f"{row.holds} holds{dropped}, plan {plan}{eta}"
    )


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def median(values: list[float]) -> float | None:
    """None of nothing."""
    return statistics.median(values) if values else None


def percentile(values: list[float], percent: float) -> float | None:
    """Nearest-rank percentile: a value that was measured, not one between two."""
    if not values:
        return None
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def rounded(value: float | None) -> float | None:
    """Milliseconds as a person reads them."""
    return None if value is None else round(value, 1)
