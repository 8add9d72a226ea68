"""Whether what the planner predicted of its steps is what happened: tables of reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ls3.studies.stats import exact_interval
from ls3_models.episodes import Episode

EDGES = {
    "constraint_probability": (0.0, 0.01, 0.05, 0.1, 0.2, 1.0),
    "safe_probability": (0.0, 0.3, 0.5, 0.7, 0.9, 1.0),
}
"""Edges of the bins, by the names in an episode's record."""


def reliability(episodes: Sequence[Episode], horizon: int) -> dict[str, list[dict[str, Any]]]:
    """Compare the planner's probabilities with what happened, in bins without empty ones.

    Args:
        episodes: of a policy that recorded (5) and (6) of its steps (`PlannerPolicy.record`).
        horizon: H.

    Returns:
        For `constraint_probability` the number of steps of each bin (`steps`), the mean
        prediction (`predicted`), and the number followed by a violation within H (`happened`); for
        `safe_probability` those of episodes that reached the goal. With the exact interval of the
        share, as if steps were independent.
    """
    rows: dict[str, list[tuple[float, bool]]] = {name: [] for name in EDGES}
    for episode in episodes:
        executed = np.flatnonzero((episode.actions != 0).any(axis=1))
        violated = [bool(episode.constraint[t : t + horizon].any()) for t in executed]
        happened: dict[str, list[bool]] = {
            "constraint_probability": violated,
            "safe_probability": [episode.succeeded] * len(executed),
        }
        for name, row in rows.items():
            row.extend(zip(episode.attributes[name], happened[name], strict=True))
    return {name: _binned(row, EDGES[name]) for name, row in rows.items()}


def _binned(pairs: Sequence[tuple[float, bool]], edges: Sequence[float]) -> list[dict[str, Any]]:
    predicted = np.array([p for p, _ in pairs])
    happened = np.array([h for _, h in pairs], bool)
    bins = np.clip(np.digitize(predicted, edges) - 1, 0, len(edges) - 2)
    table = []
    for number in np.unique(bins):
        inside = bins == number
        steps, count = int(inside.sum()), int(happened[inside].sum())
        table.append(
            {
                "from": edges[number],
                "to": edges[number + 1],
                "steps": steps,
                "predicted": round(float(predicted[inside].mean()), 4),
                "happened": count,
                "happened_interval": list(exact_interval(count, steps)),
            }
        )
    return table
