"""Makes HTML tables: tables 1 and 2 with our figures beside the paper's, and all training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ls3.studies import ranking
from ls3.studies.results import LAST, sections_of

COLUMNS = {"success_rate": "success", "violation_rate": "violation"}
"""Column of the curve of each rate."""
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
    table = paper["tables"][key]
    caption = f"{table['title']} ({table['where']}): the paper's above, ours below."
    return _rates(paper, key, results, paper["methods"], caption)


def beside(paper: Mapping[str, Any], key: str, results: Results) -> str:
    """Make the table of our methods that have no column in the paper, in the same form."""
    table = paper["tables"][key]
    caption = (
        f"Beside {table['where']}: the comparisons on LS3's frozen latents, which the paper does "
        "not have. They are stronger opponents."
    )
    return _rates(paper, key, results, paper["beside"], caption)


def _rates(
    paper: Mapping[str, Any], key: str, results: Results, methods: Mapping[str, str], caption: str
) -> str:
    table = paper["tables"][key]
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
    return _table(caption, f"<th></th>{head}", rows)


def _table(caption: str, head: str, rows: Sequence[str]) -> str:
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{''.join(rows)}</table>"


def _cell(result: dict[str, Any] | None, key: str) -> str:
    if result is None:
        return '<span class="missing">not measured</span>'
    metrics = result["metrics"]
    _, low, high = ranking.exact_rate(result, COLUMNS[key])
    error = ranking.standard_error(metrics, key)
    return (
        f"<b>{metrics[key]:.3f}{'' if error is None else f' ± {error:.3f}'}</b><br>"
        f"<small>[{low:.3f}, {high:.3f}]<br>{escape(extent(metrics))}</small>"
    )


def against_ls3(paper: Mapping[str, Any], results: Results) -> str:
    """Make the table of LS3's success against that of each comparison.

    A cell has the probability that a seed of LS3 succeeds more often, if both have three seeds, and
    otherwise which of the two rates is greater. The last column has the interquartile mean over the
    seeds of all domains where there are three.
    """
    rivals = {
        name: label
        for name, label in {**paper["methods"], **paper["beside"]}.items()
        if name.startswith(("sacfd", "awac"))
    }
    domains = paper["domains"]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *domains.values(), "IQM"))
    rows = []
    for name, label in {"ls3": "LS3", **rivals}.items():
        cells = [
            "" if name == "ls3" else _against(results.get((d, "ls3")), results.get((d, name)))
            for d in domains
        ]
        known = [ranking.scores(results[d, name]) for d in domains if (d, name) in results]
        enough = [seeds for seeds in known if len(seeds) >= ranking.ENOUGH]
        mean = "-"
        if enough:
            of_all = [score for seeds in enough for score in seeds]
            mean = f"{ranking.interquartile_mean(of_all):.3f} (domains: {len(enough)})"
        texts = "".join(f"<td>{cell}</td>" for cell in (*cells, mean))
        rows.append(f"<tr><th>{escape(label)}</th>{texts}</tr>")
    caption = (
        "LS3 against each comparison: the probability that a seed of LS3 succeeds more often, with "
        "its 95 % interval over resampled seeds. The paper has LS3 above all three everywhere."
    )
    return _table(caption, head, rows)


def _against(ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> str:
    if ours is None or theirs is None:
        return '<span class="missing">not measured</span>'
    first, second = (ranking.scores(result) for result in (ours, theirs))
    difference = float(np.mean(first) - np.mean(second))
    order = "LS3 above" if difference > 0 else "LS3 <b>not above</b>"
    text = f"{order}, by {difference:+.3f}"
    if min(len(first), len(second)) < ranking.ENOUGH:
        return f"{text}<br><small>{len(first)} and {len(second)} seeds</small>"
    low, high = ranking.probability_interval(first, second)
    return f"{text}<br>{ranking.probability_better(first, second):.2f} [{low:.2f}, {high:.2f}]"


def extent(metrics: Mapping[str, Any]) -> str:
    """Say in words how many seeds and episodes there are, and whether the runs are finished."""
    seeds = len(metrics["seeds"])
    text = f"{seeds} seed{'s' if seeds > 1 else ''}, {metrics['episodes']} episodes"
    if not metrics["complete"]:
        text += f" of {metrics['episodes_planned']}: not finished"
    return text


def origin(result: Mapping[str, Any]) -> str:
    """Return the commit of a result, and in what else than the seed its seeds differ."""
    differ = result.get("seeds_differ_in", [])
    return result["commit"] + (f"; seeds differ in {', '.join(differ)}" if differ else "")


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
            origin(result),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return _table(
        "Training runs: mean return over all episodes, and over each seed's last.", head, rows
    )
