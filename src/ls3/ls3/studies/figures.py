"""Learning curves with bands over seeds, in the manner of figures 4 and 6 to 9."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ls3.studies import ranking, stats
from ls3_common.files import write_bytes

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


def checkpoints(results: Sequence[dict[str, Any]], title: str) -> Figure:
    """Plot success and violation rates of the policies that the runs have kept (figure 6).

    Args:
        results: results of one domain with `checkpoints` of at least one seed each.
        title: title of the figure.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    for key, panel in zip(("success_rate", "violation_rate"), axes, strict=True):
        for result in results:
            seeds = result["metrics"]["checkpoints"].values()
            rates: dict[float, list[float]] = {}
            for seed in seeds:
                for number, rate in zip(seed["episodes"], seed[key], strict=True):
                    rates.setdefault(number, []).append(rate)
            numbers = np.array(sorted(rates))
            mean = np.array([np.mean(rates[n]) for n in numbers])
            (line,) = panel.plot(numbers, mean, ".-", label=f"{result['label']} ({len(seeds)})")
            if len(seeds) >= ranking.ENOUGH:
                error = np.array(
                    [stats.mean_and_error([[r] for r in rates[n]])[1] for n in numbers]
                )
                panel.fill_between(
                    numbers, mean - error, mean + error, color=line.get_color(), alpha=0.2, lw=0
                )
        panel.set_ylim(-0.03, 1.03)
        panel.set(xlabel="training episodes", ylabel=key.replace("_", " "))
        panel.grid(True, alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.suptitle(title)
    return figure


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG file, atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def robustness(domains: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Plot success and violation rates under each variation, a panel for each domain.

    domains: results of `ls3 robustness` by domain. The whiskers are the rates' intervals.
    """
    most = max(len(result["rows"]) for result in domains.values())
    figure = Figure(figsize=(4.6 * len(domains), 1.6 + 0.4 * most), layout="constrained")
    axes = figure.subplots(1, len(domains), squeeze=False)[0]
    for result, panel in zip(domains.values(), axes, strict=True):
        rows = result["rows"]
        place = np.arange(len(rows))
        for key, label, shift, colour in (
            ("success_rate", "success", -0.2, "tab:blue"),
            ("violation_rate", "violations", 0.2, "tab:red"),
        ):
            rate = np.array([row[key] for row in rows.values()])
            ends = np.array([row[f"{key}_interval"] for row in rows.values()])
            whiskers = np.abs(ends.T - rate)
            panel.barh(place + shift, rate, 0.38, color=colour, label=label)
            panel.errorbar(rate, place + shift, xerr=whiskers, fmt="none", ecolor="black", lw=1)
        panel.set_yticks(place, list(rows))
        panel.set_ylim(most - 0.5, -0.5)
        panel.set_xlim(0, 1.02)
        count = max(row["episodes"] for row in rows.values())
        panel.set(xlabel="rate", title=f"{result['title']} ({count} episodes)")
        panel.grid(True, axis="x", alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
