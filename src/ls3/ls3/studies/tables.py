"""Makes HTML tables: tables 1 and 2 with our figures beside the paper's, and all training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from ls3.studies.results import LAST, sections_of

ERRORS = {"success_rate": "success_se", "violation_rate": "violation_se"}
"""Key of the standard error of each rate."""
Results = Mapping[tuple[str, str], dict[str, Any]]
"""Results of training runs, by domain and run name."""


def paper_results() -> dict[str, Any]:
    """Read the figures that the paper reports, from ``paper.yaml``."""
    document: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("paper.yaml").read_text())
    return document


def comparison(paper: Mapping[str, Any], key: str, results: Results) -> str:
    """Make one of the paper's tables, with a row per domain and a column per method.

    Args:
        paper: see `paper_results`.
        key: the rate, `success_rate` or `violation_rate`.
        results: our results, which stand below the paper's figures.
    """
    table, methods = paper["tables"][key], paper["methods"]
    head = "".join(f"<th>{escape(label)}</th>" for label in methods.values())
    rows = []
    for domain, name in paper["domains"].items():
        cells = table["cells"].get(domain, {})
        lines = []
        for method in methods:
            printed = "not in the paper"
            if method in cells:
                mean, error = cells[method]
                printed = f"{mean:.3f} ± {error:.3f}"
            ours = _cell(results.get((domain, method)), key)
            lines.append(f'<td><span class="paper">{printed}</span><br>{ours}</td>')
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(lines)}</tr>")
    caption = f"{escape(table['title'])} ({escape(table['where'])}): the paper's above, ours below."
    return f"<table><caption>{caption}</caption><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _cell(result: dict[str, Any] | None, key: str) -> str:
    if result is None:
        return '<span class="missing">not measured</span>'
    metrics = result["metrics"]
    low, high = metrics[f"{key}_interval"]
    return (
        f"<b>{metrics[key]:.3f} ± {metrics[ERRORS[key]]:.3f}</b><br>"
        f"<small>[{low:.3f}, {high:.3f}]<br>{escape(extent(metrics))}</small>"
    )


def extent(metrics: Mapping[str, Any]) -> str:
    """Say in words how many seeds and episodes there are, and whether the runs are finished."""
    seeds = len(metrics["seeds"])
    text = f"{seeds} seed{'s' if seeds > 1 else ''}, {metrics['episodes']} episodes"
    if not metrics["complete"]:
        text += f" of {metrics['episodes_planned']}: not finished"
    return text


def _settings(result: Mapping[str, Any]) -> str:
    """Return a run's main settings of the planner, or all settings of an agent without one."""
    if "planner" in result:
        planner = result["planner"]
        return (
            f"profile {planner['profile']}, search {planner.get('search', 'cem')}, "
            f"H {planner['horizon']}, "
            f"δ_S {planner['delta_safe']:g}, δ_C {planner['delta_constraint']:g}"
        )
    own = [key for key in sections_of(result["method"]) if key != "algorithm"]
    return ", ".join(f"{name} {value}" for key in own for name, value in result[key].items())


def runs_table(results: Sequence[dict[str, Any]]) -> str:
    """Make a table of all runs with their returns, settings and commits."""
    if not results:
        return '<p class="missing">No training run has been gathered: run `ls3 results`.</p>'
    columns = ("run", "episodes", "return", f"last {LAST}", "demonstrations", "settings", "commit")
    head = "".join(f"<th>{column}</th>" for column in columns)
    rows = []
    for result in results:
        metrics = result["metrics"]
        low, high = metrics[f"return_last_{LAST}_interval"]
        demonstrator = metrics["demonstrator_return"]
        cells = (
            f"{result['domain']}, {result['run_name']}",
            extent(metrics),
            f"{metrics['mean_return']:.1f} ± {metrics['return_se']:.1f}",
            f"{metrics[f'return_last_{LAST}']:.1f} [{low:.1f}, {high:.1f}]",
            "none" if demonstrator is None else f"{demonstrator:.1f}",
            _settings(result),
            result["commit"],
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    caption = "Training runs: mean return over all episodes, and over each seed's last."
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{''.join(rows)}</table>"
