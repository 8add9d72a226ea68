"""Figures of a run through the graph: one row per episode, and ``summary.json``."""

from __future__ import annotations

import contextlib
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ls3_common.errors import DataError, UserError
from ls3_common.files import write_json
from ls3_models.episodes import VARIATIONS, read_episode

FILE = "summary.json"
"""Name of the file with the figures."""


@dataclass(frozen=True)
class EpisodeOutcome:
    """The outcome of one episode.

    episode, seed: of the request. ran: whether it ended by success, violation or T, and not by a
    fault or a cancellation. steps: up to the first success, or all steps. holds: steps in which the
    arm held. dropped: plans that the arm refused. reason: why the episode ended.
    plan_ms_median: median planning time, ms; None without a plan. wall_s: duration, s of wall time.
    file: path of the episode file; empty if there is none. held_for: why the newest plan without an
    action had none, in the planner's words; empty if all had one.
    """

    episode: int
    seed: int
    ran: bool
    success: bool
    violation: bool
    steps: int
    holds: int
    dropped: int
    reason: str
    plan_ms_median: float | None
    wall_s: float
    file: str = ""
    held_for: str = ""


@dataclass
class RunSummary:
    """Rows and timings of one run.

    requested: number of episodes asked for. demonstrator_mean_steps: mean number of steps of the
    demonstrations in the model's training data; None if unknown. context: further entries of the
    file. rows: outcome of each episode so far. plan_ms: planning times, ms. frame_to_command_ms:
    wall time from the receipt of a camera frame to that of the arm's answer to its plan, ms.
    """

    requested: int
    demonstrator_mean_steps: float | None = None
    context: dict[str, Any] = field(default_factory=dict)
    rows: list[EpisodeOutcome] = field(default_factory=list)
    plan_ms: list[float] = field(default_factory=list)
    frame_to_command_ms: list[float] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every requested episode ran."""
        return len(self.ran) == self.requested

    @property
    def ran(self) -> list[EpisodeOutcome]:
        """The outcomes of the episodes that ran."""
        return [row for row in self.rows if row.ran]

    def add(self, row: EpisodeOutcome) -> None:
        """Add an episode's outcome. The first episode file names the run's variations, if any."""
        self.rows.append(row)
        if row.file and VARIATIONS not in self.context:
            # a file that cannot be read here, e.g. as it is on another computer, tells nothing
            with contextlib.suppress(DataError):
                varied = read_episode(row.file).attributes.get(VARIATIONS)
                if varied is not None:
                    self.context[VARIATIONS] = varied["on"]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as in the file. The mean of no values is None."""
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
        """Write ``summary.json`` into `directory`, completely or not at all; return its path."""
        path = Path(directory) / FILE
        write_json(path, self.to_dict())
        return path


def make_directory(directory: str) -> None:
    """Make the directory of a run's files.

    Raises:
        UserError: the system refuses.
    """
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make this directory ({error.strerror})", where=directory, do="change `out`"
        ) from None


def line(row: EpisodeOutcome, done: int, summary: RunSummary, elapsed_s: float) -> str:
    """Return one line of progress after `done` episodes in `elapsed_s` seconds of wall time."""
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
    held_for = f" ({row.held_for})" if row.held_for else ""
    return (
        f"episode {done}/{summary.requested} (seed {row.seed}): {outcome}; "
        f"{row.holds} holds{held_for}{dropped}, plan {plan}{eta}"
    )


def duration(seconds: float) -> str:
    """Format a duration in seconds: 75 becomes ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def median(values: list[float]) -> float | None:
    """Return the median; None if there are no values."""
    return statistics.median(values) if values else None


def percentile(values: list[float], percent: float) -> float | None:
    """Return the nearest-rank percentile, which is one of the values; None if there are none.

    percent: from 0 to 100.
    """
    if not values:
        return None
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def rounded(value: float | None) -> float | None:
    """Round a time in milliseconds to one decimal; None stays None."""
    return None if value is None else round(value, 1)
