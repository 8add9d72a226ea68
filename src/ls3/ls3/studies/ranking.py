"""Compares LS3 with another method over seeds, in the manner of rliable (Agarwal et al., 2021).

A seed's score is its rate over all training episodes. Under `ENOUGH` seeds nothing is said about
the spread between seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ls3.studies.stats import CONFIDENCE, DRAWS, exact_interval

ERRORS = {"success_rate": "success_se", "violation_rate": "violation_se"}
"""Key in a results file of the standard error of each rate."""
ENOUGH = 3
"""Least number of seeds for a standard error, an interquartile mean or a probability."""


def exact_rate(result: Mapping[str, Any], column: str) -> tuple[float, float, float]:
    """Return the rate of `column` over all episodes of all seeds, and its exact 95 % interval.

    The interval takes the episodes as independent. Seeds of a method that learns or fails as a
    whole differ by more.

    Args:
        result: a results file of `ls3 results`.
        column: of the curve, `success` or `violation`.
    """
    values = [v for curve in result["metrics"]["curves"].values() for v in curve[column]]
    count = round(sum(values))
    return count / len(values), *exact_interval(count, len(values))


def standard_error(metrics: Mapping[str, Any], key: str) -> float | None:
    """Return the standard error of rate `key` across seeds; None if there are too few of them."""
    return float(metrics[ERRORS[key]]) if len(metrics["seeds"]) >= ENOUGH else None


def scores(result: Mapping[str, Any], column: str = "success") -> list[float]:
    """Return the rate of each seed over its training episodes."""
    return [float(np.mean(curve[column])) for curve in result["metrics"]["curves"].values()]


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean without the least and the greatest quarter, rounded down, of the values."""
    cut = len(values) // 4
    return float(np.mean(np.sort(np.asarray(values, np.float64))[cut : len(values) - cut]))


def probability_better(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how often a seed of ours scores above one of theirs; an equal score counts half."""
    first, second = np.asarray(ours)[:, None], np.asarray(theirs)[None]
    return float(((first > second) + 0.5 * (first == second)).mean())


def probability_interval(
    ours: Sequence[float], theirs: Sequence[float], *, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of `probability_better` over resampled seeds."""
    rng = np.random.default_rng(seed)
    first, second = (
        np.asarray(row)[rng.integers(len(row), size=(DRAWS, len(row)))] for row in (ours, theirs)
    )
    pairs = first[:, :, None], second[:, None, :]
    drawn = ((pairs[0] > pairs[1]) + 0.5 * (pairs[0] == pairs[1])).mean(axis=(1, 2))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)
