"""Means, standard errors and bootstrap intervals over seeds and their episodes (section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ls3_models.episodes import Episode, episode_return

DRAWS = 10_000
CONFIDENCE = 0.95


def mean_and_error(groups: Sequence[ArrayLike]) -> tuple[float, float]:
    """Mean over seeds of each seed's mean, and its standard error.

    groups: the episodes' values of each seed. The error is that across the seeds, as the paper's;
    with one seed it is that across the episodes, and 0 for a single episode.

    Raises:
        ValueError: there is no seed, or one without episodes.
    """
    rows = _rows(groups)
    values = np.array([row.mean() for row in rows]) if len(rows) > 1 else rows[0]
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return float(values.mean()), error


def interval(groups: Sequence[ArrayLike], *, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean over seeds, by a stratified bootstrap.

    The strata are the seeds: each draw takes as many episodes of a seed as it has, with
    replacement, so that every seed keeps its weight.

    Raises:
        ValueError: there is no seed, or one without episodes.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros(DRAWS)
    rows = _rows(groups)
    for row in rows:
        total += row[rng.integers(len(row), size=(DRAWS, len(row)))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(total / len(rows), (tail, 1 - tail))
    return float(low), float(high)


def figures(name: str, error_name: str, groups: Sequence[ArrayLike]) -> dict[str, Any]:
    """``{name: mean, error_name: standard error, name_interval: [low, high]}``."""
    mean, error = mean_and_error(groups)
    return {name: mean, error_name: error, f"{name}_interval": list(interval(groups))}


def smooth(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Mean of the last `window` values at each point (n,); of fewer at the beginning."""
    row = np.asarray(values, np.float64)
    sums = np.concatenate(([0.0], np.cumsum(row)))
    ends = np.arange(1, len(row) + 1)
    begins = np.maximum(ends - window, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _rows(groups: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    rows = [np.asarray(group, np.float64) for group in groups]
    if not rows or not all(row.ndim == 1 and len(row) for row in rows):
        raise ValueError("every seed needs episodes, and there must be one")
    return rows


def intervals(episodes: Sequence[Episode], horizon: int) -> dict[str, Any]:
    """Mean return with its standard error, and 95 % bootstrap intervals of the rates and of it."""
    returns = figures("mean_return", "return_se", [[episode_return(e, horizon) for e in episodes]])
    return {
        "success_rate_interval": list(interval([[e.succeeded for e in episodes]])),
        "violation_rate_interval": list(interval([[e.violated for e in episodes]])),
        **returns,
    }


def spread(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Median, 10th and 90th percentile of measured values; None where there are none."""
    keys = (f"{name}_median", f"{name}_p10", f"{name}_p90")
    if not values:
        return dict.fromkeys(keys)
    percentiles = np.percentile(values, [50, 10, 90])
    return {key: round(float(value), 2) for key, value in zip(keys, percentiles, strict=True)}


def recorded(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Summarise what a policy recorded of its episodes (`Policy.record`).

    Counts are added up; of measurements there are the median and percentiles.
    """
    figures: dict[str, Any] = {}
    for name in dict.fromkeys(key for episode in episodes for key in episode.attributes):
        values = [episode.attributes[name] for episode in episodes]
        if all(isinstance(value, int) for value in values):
            figures[name] = sum(values)
        else:
            figures |= spread(name, [value for row in values for value in row])
    return figures
