"""The tables of reliability: the planner's probabilities beside what happened (`ls3 measure`)."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, Results, table

OUTCOMES = {
    "constraint_probability": "(6), violation within H",
    "safe_probability": "(5), goal reached in the end",
}
BLOCK = "in_process"


def reliability(results: Results) -> str:
    """Write one row for each bin of each domain's executed steps."""
    rows = []
    for domain, measured in results.measures().items():
        found = measured["metrics"].get(BLOCK, {}).get("reliability", {})
        for name, outcome in OUTCOMES.items():
            rows += [
                (DOMAINS[domain], outcome, *cells) for cells in map(_cells, found.get(name, ()))
            ]
    head = ("domain", "probability", "predicted", "mean", "steps", "happened", "share")
    return table(head, rows)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["happened_interval"]
    share = row["happened"] / row["steps"]
    return (
        f"{row['from']:g} to {row['to']:g}",
        f"{row['predicted']:.3f}",
        str(row["steps"]),
        str(row["happened"]),
        f"{share:.3f} [{low:.3f}, {high:.3f}]",
    )
