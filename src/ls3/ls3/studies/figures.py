"""Learning curves with bands over seeds, in the manner of figures 4 and 6 to 9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ls3.studies import stats

WINDOW = 20
"""Number of episodes over which a point of a curve is the mean."""
PANELS = {
    "total_reward": "return",
    "success": "task success rate",
    "violation": "constraint violation rate",
}


def band(
    curves: Sequence[Sequence[float]], window: int = WINDOW
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard error over seeds of smoothed curves.

    Args:
        curves: for each seed, one value per episode.
        window: number of episodes to smooth over.

    Returns:
        Two arrays (n,), where n is the length of the longest curve. At each episode they cover the
        seeds that got so far. The error of a single seed is 0.
    """
    length = max(map(len, curves))
    rows = np.full((len(curves), length), np.nan)
    for row, curve in zip(rows, curves, strict=True):
        row[: len(curve)] = stats.smooth(curve, window)
    count = np.isfinite(rows).sum(axis=0)
    mean = np.nanmean(rows, axis=0)
    squares = np.nansum((rows - mean) ** 2, axis=0)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1) / count)


def learning_curves(
    results: Sequence[dict[str, Any]],
    labels: Sequence[str],
    title: str,
    episodes: int | None = None,
) -> Figure:
    """Plot return, success rate and violation rate against the number of training episodes.

    Args:
        results: results of one domain, as `ls3 results` writes them.
        labels: one label per result.
        title: title of the figure.
        episodes: number of episodes to show; None for all.
    """
    figure = Figure(figsize=(12, 3.4))
    axes = figure.subplots(1, len(PANELS))
    for (key, name), panel in zip(PANELS.items(), axes, strict=True):
        for result, label in zip(results, labels, strict=True):
            curves = result["metrics"]["curves"].values()
            mean, error = band([curve[key][:episodes] for curve in curves])
            number = np.arange(1, len(mean) + 1)
            (line,) = panel.plot(number, mean, label=f"{label} ({len(curves)})")
            panel.fill_between(
                number, mean - error, mean + error, color=line.get_color(), alpha=0.2, lw=0
            )
        if key == "total_reward":
            demonstrator = results[0]["metrics"]["demonstrator_return"]
            if demonstrator is not None:
                panel.axhline(demonstrator, color="grey", ls="--", label="demonstrations")
        else:
            panel.set_ylim(-0.03, 1.03)
        panel.set(xlabel="training episodes", ylabel=name)
        panel.grid(True, alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.suptitle(title)
    figure.tight_layout()
    return figure
