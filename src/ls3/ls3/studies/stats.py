"""Means, standard errors and bootstrap intervals over seeds and their episodes (section 5.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ls3_models.episodes import VARIATIONS, Episode, episode_return

DRAWS = 10_000
"""Number of samples of a bootstrap."""
CONFIDENCE = 0.95
"""Coverage of an interval."""


def mean_and_error(groups: Sequence[ArrayLike]) -> tuple[float, float]:
    """Return the mean over the seeds' means, and its standard error.

    The error is that across seeds, as in the paper. With a single seed it is that across its
    episodes, and 0 for a single episode.

    Args:
        groups: for each seed, the values of its episodes (n,).

    Raises:
        ValueError: there is no seed, or a seed without episodes.
    """
    rows = _rows(groups)
    values = np.array([row.mean() for row in rows]) if len(rows) > 1 else rows[0]
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return float(values.mean()), error


def interval(groups: Sequence[ArrayLike], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over seeds, by a stratified bootstrap.

    The strata are the seeds: each sample draws, with replacement, as many episodes of a seed as
    the seed has. So every seed keeps its weight.

    Args:
        groups: for each seed, the values of its episodes (n,).
        seed: decides the random numbers.

    Raises:
        ValueError: there is no seed, or a seed without episodes.
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
    """Return ``{name: mean, error_name: standard error, name_interval: [low, high]}``."""
    mean, error = mean_and_error(groups)
    return {name: mean, error_name: error, f"{name}_interval": list(interval(groups))}


def smooth(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return at each point (n,) the mean of the last `window` values, or of fewer at the start."""
    row = np.asarray(values, np.float64)
    sums = np.concatenate(([0.0], np.cumsum(row)))
    ends = np.arange(1, len(row) + 1)
    begins = np.maximum(ends - window, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _rows(groups: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    rows = [np.asarray(group, np.float64) for group in groups]
    if not rows or not all(row.ndim == 1 and len(row) for row in rows):
        raise ValueError("there must be a seed, and every seed needs episodes")
    return rows


def intervals(episodes: Sequence[Episode], horizon: int) -> dict[str, Any]:
    """Return 95 % intervals of success rate, violation rate and mean return, with the latter.

    horizon: T; the return of an episode is taken over T steps (`episode_return`).
    """
    returns = figures("mean_return", "return_se", [[episode_return(e, horizon) for e in episodes]])
    return {
        "success_rate_interval": list(interval([[e.succeeded for e in episodes]])),
        "violation_rate_interval": list(interval([[e.violated for e in episodes]])),
        **returns,
    }


def spread(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Return median, 10th and 90th percentile of values; None for each if there are no values."""
    keys = (f"{name}_median", f"{name}_p10", f"{name}_p90")
    if not values:
        return dict.fromkeys(keys)
    percentiles = np.percentile(values, [50, 10, 90])
    return {key: round(float(value), 2) for key, value in zip(keys, percentiles, strict=True)}


def recorded(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Summarise what a policy recorded in its episodes (`Policy.record`).

    Whole numbers are added up. Lists of measurements become a median and percentiles.
    """
    figures: dict[str, Any] = {}
    for name in dict.fromkeys(key for episode in episodes for key in episode.attributes):
        if name == VARIATIONS:  # said by the environment, not by the policy
            continue
        values = [episode.attributes[name] for episode in episodes]
        if all(isinstance(value, int) for value in values):
            figures[name] = sum(values)
        else:
            figures |= spread(name, [value for row in values for value in row])
    return figures


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a probability (Clopper and Pearson, 1934).

    Args:
        count: how often the event occurred.
        total: number of independent trials, at least 1.
    """
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if count == 0 else 1 - _solve(total - count, total, tail)
    high = 1.0 if count == total else _solve(count, total, tail)
    return low, high


def _solve(count: int, total: int, tail: float) -> float:
    """Return the probability at which at most `count` of `total` events occur in a share `tail`."""
    occurs = np.arange(count + 1)
    ways = np.array([math.log(math.comb(total, k)) for k in range(count + 1)])
    low, high = 0.0, 1.0
    for _ in range(60):  # the cumulative probability falls with p
        p = (low + high) / 2
        logs = ways + occurs * math.log(p) + (total - occurs) * math.log1p(-p)
        if np.exp(logs).sum() > tail:
            low = p
        else:
            high = p
    return (low + high) / 2


def paired_difference(first: Sequence[bool], second: Sequence[bool]) -> tuple[float, float, float]:
    """Return the difference of two success rates on the same seeds, and its 95 % interval.

    The interval is method 10 of Newcombe (Statistics in Medicine 17, 1998). It has a width also
    where no seed differs.

    Args:
        first, second: whether each seed succeeded, in the same order of seeds.
    """
    pairs = list(zip(first, second, strict=True))
    (both, won), (lost, neither) = (
        [sum(a == x and b == y for a, b in pairs) for y in (True, False)] for x in (True, False)
    )
    total = len(pairs)
    rate, other = (both + won) / total, (both + lost) / total
    low, high = _wilson(rate, total)
    other_low, other_high = _wilson(other, total)
    marginal = (both + won) * (lost + neither) * (both + lost) * (won + neither)
    product = float(both * neither - won * lost)
    if product > 0:  # a correction for continuity
        product = max(product - total / 2, 0)
    correlation = product / math.sqrt(marginal) if marginal else 0.0
    difference = rate - other
    below, above = (
        math.sqrt(a**2 - 2 * correlation * a * b + b**2)
        for a, b in ((rate - low, other_high - other), (high - rate, other - other_low))
    )
    return difference, difference - below, difference + above


def _wilson(rate: float, total: int) -> tuple[float, float]:
    """Return Wilson's interval of a probability."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle, width = rate + z**2 / (2 * total), z**2 / total
    spread = z * math.sqrt(rate * (1 - rate) / total + width / (4 * total))
    return (middle - spread) / (1 + width), (middle + spread) / (1 + width)
