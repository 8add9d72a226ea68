"""The learning curve: one row for each online episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

CURVE = "curve.jsonl"
"""File of the learning curve in the directory of the online learning."""


@dataclass(frozen=True)
class EpisodeRow:
    """One online episode: a point of the learning curve.

    episode: number of the episode, from 0. phase: number of its phase, from 0. steps: number of
    steps to the first success, or of all steps without one. total_reward: undiscounted return.
    counts: the agent's own counts (`Agent.counted`).
    """

    episode: int
    phase: int
    success: bool
    violation: bool
    steps: int
    total_reward: float
    counts: Mapping[str, int] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """Return the row as one flat mapping, as in the curve's file."""
        row = asdict(self)
        return row | row.pop("counts")


def training_rates(rows: Sequence[EpisodeRow]) -> dict[str, float]:
    """Return success and violation rates over all training episodes (Tables 1 and 2)."""
    count = max(1, len(rows))
    return {
        "episodes": len(rows),
        "success_rate": sum(row.success for row in rows) / count,
        "violation_rate": sum(row.violation for row in rows) / count,
    }
