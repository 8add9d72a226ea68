"""Writes ``docs/report.html``: tables and figures of the paper with our results.

The page links its pictures, which are PNG files in a directory beside it. Where a result is
missing, the page says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from matplotlib.figure import Figure

from ls3.runs.domains import load_domain
from ls3.runs.methods import METHODS
from ls3.studies import figures, maps, ranking, tables
from ls3.studies.results import CHECKPOINTS, FACTS, read_results
from ls3_common.domain import DomainSpec, domain_names, load_spec
from ls3_common.errors import UserError
from ls3_common.files import write_text
from ls3_common.parameters import build
from ls3_common.shared import find_shared
from ls3_models.bundle import load_bundle
from ls3_sim.registration import make_task

SWEEPS = {
    "delta_constraint": ("constraint threshold δ_C", "Figure 7"),
    "delta_safe": ("safe set threshold δ_S", "Figure 8"),
    "horizon": ("planning horizon H", "Figure 9"),
}
STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1.5em 0 } caption { text-align: left; font-weight: bold }
th, td { border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top }
img { max-width: 100% } .paper, small { color: #555 } .missing { color: #a00 }
"""


class ReportPage:
    """Collects the parts of the page, in order, and writes it."""

    def __init__(self, path: Path, media: Path) -> None:
        """Begin a page that is to be written to `path`, with pictures in directory `media`."""
        self.path, self.media = path, media
        self.parts: list[str] = []

    def add(self, text: str) -> None:
        """Add HTML."""
        self.parts.append(text)

    def heading(self, text: str) -> None:
        """Add a heading, given as plain text."""
        self.add(f"<h2>{escape(text)}</h2>")

    def missing(self, text: str) -> None:
        """Add a note, given as plain text, that a result is missing."""
        self.add(f'<p class="missing">{escape(text)}</p>')

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        """Write a figure as ``report_<name>.png`` and add it with a caption."""
        file = self.media / f"report_{name}.png"
        figures.write_figure(file, figure)
        link = quote(os.path.relpath(file, self.path.parent))
        self.add(
            f'<figure><img alt="{escape(caption)}" src="{link}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def write(self) -> None:
        """Write the page."""
        write_text(
            self.path,
            '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>LS3: results</title>\n'
            f"<style>{STYLE}</style>\n<h1>LS3: training results</h1>\n"
            + "\n".join(self.parts)
            + "\n</html>\n",
        )


def write_report(results_directory: Path, runs: Path, path: Path, media: Path) -> None:
    """Write the page and its pictures.

    Args:
        results_directory: results files, of `ls3 results`.
        runs: training runs, for their models.
        path: the page.
        media: directory of the pictures.

    Raises:
        DataError: a results file or a model is damaged.
    """
    paper = tables.paper_results()
    results = read_results(results_directory)
    known = {(result["domain"], result["run_name"]): result for result in results}
    report = ReportPage(path, media)
    report.add(
        f"<p>Paper: {escape(paper['source'])} Rates are means over seeds, with the standard error "
        "where there are three seeds or more. Brackets hold the exact 95 % interval of all "
        "episodes taken together; those of returns are of a bootstrap stratified by seed.</p>"
    )
    report.heading("Tables 1 and 2")
    for key in paper["tables"]:
        report.add(tables.comparison(paper, key, known))
        report.add(tables.beside(paper, key, known))
    report.add(tables.against_ls3(paper, known))
    report.add(tables.runs_table(results))
    own = {
        result["domain"]: result for result in results if result["domain"] not in paper["domains"]
    }
    titles = paper["domains"] | {name: name for name in own}
    report.heading("Learning curves (figures 4 and 5)")
    for domain, title in titles.items():
        _curves(report, domain, title, known)
    report.heading("Policies on the way (figure 6)")
    for domain, title in titles.items():
        _checkpoints(report, domain, title, known)
    report.heading("Sweeps (figures 7 to 9)")
    for key, (title, where) in SWEEPS.items():
        _sweep(report, key, title, where, results)
    report.heading("What the models believe (figure 2)")
    for name in domain_names():
        _beliefs(report, name, load_spec(name), runs)
    for name, result in own.items():
        _beliefs(report, name, build(DomainSpec, result[FACTS], f"results of {name}"), runs)
    report.write()


def _curves(
    report: ReportPage, domain: str, title: str, known: Mapping[tuple[str, str], dict[str, Any]]
) -> None:
    chosen = _of_domain(domain, known)
    if not chosen:
        report.missing(f"{title}: no training run.")
        return
    figure = figures.learning_curves(chosen, [r["label"] for r in chosen], title)
    caption = (
        f"{title}: every training episode, smoothed over the last {figures.WINDOW}; bands are "
        "standard errors over the seeds that have come so far, their number in brackets."
    )
    report.picture(f"curves_{domain}", figure, caption)


def _of_domain(
    domain: str, known: Mapping[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the results of a domain that are not those of a sweep, in the order of the methods."""
    names = [*METHODS, *sorted({name for _, name in known} - set(METHODS))]
    return [known[domain, n] for n in names if "+" not in n and (domain, n) in known]


def _checkpoints(
    report: ReportPage, domain: str, title: str, known: Mapping[tuple[str, str], dict[str, Any]]
) -> None:
    chosen = [result for result in _of_domain(domain, known) if result["metrics"].get(CHECKPOINTS)]
    if not chosen:
        report.missing(f"{title}: no policy has been evaluated (`ls3 evaluate --checkpoints`).")
        return
    caption = (
        f"{title}: greedy rollouts of the policies after so many training episodes, with standard "
        f"errors where there are {ranking.ENOUGH} seeds or more; the number of seeds in brackets."
    )
    report.picture(f"checkpoints_{domain}", figures.checkpoints(chosen, title), caption)


def _sweep(
    report: ReportPage, key: str, title: str, where: str, results: Sequence[dict[str, Any]]
) -> None:
    """Add the runs of LS3 in which only parameter `key` differs, beside those with its default."""
    any_sweep = False
    for domain in sorted({result["domain"] for result in results}):
        chosen = [r for r in results if r["domain"] == domain and _swept(r["run_name"], key)]
        swept = [r for r in chosen if "+" in r["run_name"]]
        if not swept:
            continue
        curves = [curve for r in swept for curve in r["metrics"]["curves"].values()]
        longest = max(len(curve["success"]) for curve in curves)
        any_sweep = True
        chosen.sort(key=lambda r: float(r["planner"][key]))
        labels = [f"{r['planner'][key]:g}" for r in chosen]
        unconstrained = [
            r for r in results if r["domain"] == domain and r["run_name"] == "no_constraint"
        ]
        if key == "delta_constraint" and unconstrained:
            chosen, labels = [*chosen, *unconstrained], [*labels, "no constraints"]
        figure = figures.learning_curves(chosen, labels, f"{domain}: {title}", longest)
        report.picture(f"sweep_{domain}_{key}", figure, f"{where}: {title}, domain {domain}.")
    if not any_sweep:
        report.missing(f"{where}, {title}: no sweep has been run.")


def _swept(name: str, key: str) -> bool:
    """Whether a run name is that of LS3 with nothing changed but, perhaps, parameter `key`."""
    method, *changes = name.split("+")
    return method == "ls3" and (not changes or [c.split("=")[0] for c in changes] == [key])


def _beliefs(report: ReportPage, name: str, spec: DomainSpec, runs: Path) -> None:
    trained = sorted((runs / name / "ls3").glob("seed_*/model"))
    path = trained[0] if trained else find_shared(f"models/{name}")
    if path is None:
        report.missing(f"{name}: no model.")
        return
    bundle = load_bundle(path)
    origin = f"model {bundle.identity} of {'a training run' if trained else 'this repository'}"
    try:
        env = make_task(spec, kinds=["demonstration"])
    except UserError as error:  # a task of the user's own, not at hand or without behaviours
        report.missing(f"{name}: {error.what}")
        return
    if name == "navigation":
        figure = maps.navigation_maps(bundle, load_domain(name).planner, env)
        caption = (
            f"Navigation: the heads with the robot at every point of the plane; {origin}. Red: "
            "obstacle; green: goal; dot: start."
        )
        report.picture("maps_navigation", figure, caption)
    if name == "pushing":
        figure = maps.pushing_maps(bundle, load_domain(name).planner, env)
        caption = (
            f"Sequential pushing: the heads with the left block at every point about the goal's "
            f"left edge (green) and the other blocks in the goal; {origin}."
        )
        report.picture("maps_pushing", figure, caption)
    caption = f"{name}: a demonstration above its frames decoded from latents; {origin}."
    report.picture(f"decoded_{name}", maps.decoded_frames(bundle, env), caption)
    env.close()
