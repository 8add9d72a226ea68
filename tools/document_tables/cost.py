"""The tables of what online learning costs, from results/online_cost.json."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, Results, origin, table

COSTS = {
    "plan_s": ("plan", 1e3, "ms"),
    "value_step_s": ("step of V", 1e3, "ms"),
    "head_step_s": ("step of dynamics and heads", 1e3, "ms"),
    "update_s": ("update", 1.0, "s"),
    "run_s": ("**run of 250 episodes**", 1 / 60, "min"),
}
GROWTH = {
    "episodes": ("acting_s", "processor time of a phase's episodes"),
    "frames": ("value_step_s", "processor time of a step of V"),
    "workers": ("phase_wall_s", "time of a phase of 4 episodes"),
}


def online_cost(results: Results) -> str:
    """Write the comparison of two commits."""
    document = results("online_cost")
    compared: dict[str, Any] = document["metrics"]["compare"]
    rows = []
    for domain in filter(compared.__contains__, DOMAINS):
        for key, (name, factor, unit) in COSTS.items():
            cost = compared[domain][key]
            base, new = (f"{factor * cost[which]:.3g} {unit}" for which in ("base", "new"))
            spread = f"{cost['least_ratio']:.2f} to {cost['most_ratio']:.2f}"
            rows.append((DOMAINS[domain], name, base, new, f"{cost['ratio']:.2f}, {spread}"))
    base, new = compared["commits"]
    head = ("domain", "what", base, new, "ratio, least to most")
    return f"{table(head, rows)}\n\n{origin(document)}"


def online_growth(results: Results) -> str:
    """Write how the cost grows with each quantity, and the power law through its ends."""
    growth = results("online_cost")["metrics"]["growth"]
    rows = []
    for quantity, (key, name) in GROWTH.items():
        sizes = ", ".join(f"{row[quantity]:,}" for row in growth[quantity])
        costs = ", ".join(f"{row[key]:.3g}" for row in growth[quantity])
        rows.append((quantity, sizes, name, costs, f"{growth['exponents'][quantity][key]:.2f}"))
    return table(("quantity", "sizes", "cost", "s", "exponent"), rows)
