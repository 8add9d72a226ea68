"""The table of the guard on frames, from results/frame_guard.json."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, Results, origin, table


def frame_guard(results: Results) -> str:
    """Write how often each foreign picture is noticed, and what it does without the guard."""
    document = results("frame_guard")["domains"]
    rows, costs = [], []
    for domain in filter(document.__contains__, DOMAINS):
        measured = document[domain]
        for name, row in measured["rows"].items():
            rows.append((DOMAINS[domain], name, _rate(row, "noticed"), _rate(row, "successes")))
        cost = measured["cost_ms"]
        costs.append(f"{DOMAINS[domain]} {cost['median']:.2f} ({cost['p99']:.2f}) ms")
    head = ("domain", "picture", "objection at the first or second step", "successes, guard off")
    wheres = dict.fromkeys(origin(document[domain]) for domain in DOMAINS if domain in document)
    return (
        f"{table(head, rows)}\n\nWith exact 95 % intervals. Scoring a frame takes, at the median "
        f"and the 99th percentile: {', '.join(costs)}. {' '.join(wheres)}"
    )


def _rate(row: dict[str, Any], what: str) -> str:
    count, total = row[what], row["starts" if what == "noticed" else "episodes"]
    if not total:
        return "-"
    low, high = row[f"{what}_interval"]
    return f"{count} of {total} ({low:.2f} to {high:.2f})"
