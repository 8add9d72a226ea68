"""Training runs as results: ``runs/<domain>/<name>/seed_*`` to ``results/training_*.json``.

Success and violation rates are over all online episodes (Tables 1 and 2), means and standard errors
over the seeds (section 5.2). A run that is not finished counts with the episodes that it has. Seeds
that only the file of results has stay in it: each may have been run on a machine of its own. <name>
is the method with what was swept, unless who ran it named the directory otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ls3.learning.algorithm import CURVE
from ls3.runs.methods import find_method
from ls3.runs.run_directory import DESCRIPTION, section_key
from ls3.studies import stats
from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_common.files import read_json, read_rows, write_json
from ls3_planner.config import AlgorithmConfig

PREFIX = "training_"
LAST = 20  # episodes whose return says what was learned in the end
CURVES = ("success", "violation", "total_reward", "steps")
"""What every agent's curve has; its own counts stand beside them."""
NUMBERS = ("episode", "phase")
FACTS = "domain_spec"
"""The facts of the domain; runs of before 30 November 2026 have none but T and environment."""


Curve = dict[str, list[float]]
Runs = dict[int, tuple[dict[str, Any], Curve]]
"""By seed: what the run was called and set with, and its learning curve."""


def gather(runs: Path, out: Path) -> list[Path]:
    """Write a file of results for every domain and name that has an episode.

    Raises:
        DataError: there is none, a file is damaged, or the seeds of a name were not run with the
            same settings.
    """
    written = []
    for directory in sorted({path.parent for path in runs.glob("*/*/seed_*")}):
        found = dict(_read_runs(directory))
        if found:
            path = out / f"{_name(found)}.json"
            write_json(path, summarise(_kept(path) | found, path))
            written.append(path)
    if not written:
        raise DataError("no run has an episode", where=str(runs), do="run `ls3 learn` first")
    return written


def summarise(runs: Runs, path: Path) -> dict[str, Any]:
    """What the file of results at `path` says of all seeds of one name."""
    runs = dict(sorted(runs.items()))
    first = next(iter(runs.values()))[0]
    _check_same({seed: description for seed, (description, _) in runs.items()}, path)
    curves = {seed: curve for seed, (_, curve) in runs.items()}

    def over(key: str, last: int | None = None) -> list[list[float]]:
        return [curve[key][-last:] if last else curve[key] for curve in curves.values()]

    reached = [
        steps
        for curve in curves.values()
        for steps, success in zip(curve["steps"], curve["success"], strict=True)
        if success
    ]
    algorithm = first["algorithm"]
    planned = max(
        description["algorithm"]["updates"] * algorithm["trajectories"]
        for description, _ in runs.values()
    )
    lengths = {seed: len(curve["success"]) for seed, curve in curves.items()}
    commits = {name for run, _ in runs.values() for name in run["commit"].split(", ")}
    return {
        "name": path.stem,
        "domain": first["domain"],
        "method": first["method"],
        "run_name": first["run_name"],
        "label": first["label"],
        "command": first["command"],
        "commit": ", ".join(sorted(commits)),
        "machine": first["machine"],
        **{key: first[key] for key in (FACTS, *sections_of(first["method"])) if key in first},
        "metrics": {
            "seeds": sorted(runs),
            "episodes": sum(lengths.values()),
            "episodes_per_seed": lengths,
            "episodes_planned": planned * len(runs),
            "complete": all(length >= planned for length in lengths.values()),
            **stats.figures("success_rate", "success_se", over("success")),
            **stats.figures("violation_rate", "violation_se", over("violation")),
            **stats.figures("mean_return", "return_se", over("total_reward")),
            **stats.figures(f"return_last_{LAST}", "last_return_se", over("total_reward", LAST)),
            "mean_steps": sum(reached) / len(reached) if reached else None,
            "demonstrator_return": first["demonstrator_return"],
            "curves": curves,
        },
    }


def sections_of(method: str) -> dict[str, type]:
    """What decides the runs of a method: keys of ``run.json`` and of results, with dataclasses."""
    agent = {section_key(name): cls for name, cls in find_method(method).kind.sections.items()}
    return {**agent, "algorithm": AlgorithmConfig}


def read_results(directory: Path) -> list[dict[str, Any]]:
    """All results of training runs in a directory, by name.

    Raises:
        DataError: a file is damaged.
    """
    return [read_json(path) for path in sorted(directory.glob(f"{PREFIX}*.json"))]


def _kept(path: Path) -> Runs:
    """The seeds that a file of results has already."""
    if not path.exists():
        return {}
    document = read_json(path)
    try:
        metrics = document["metrics"]
        description = document | {"demonstrator_return": metrics["demonstrator_return"]}
        return {
            int(seed): (description, {key: curve[key] for key in (*CURVES, *_counts(curve))})
            for seed, curve in metrics["curves"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError("no results of training", where=str(path), do="delete it") from None


def _read_runs(directory: Path) -> Iterator[tuple[int, tuple[dict[str, Any], Curve]]]:
    for path in directory.glob("seed_*"):
        seed = path.name.removeprefix("seed_")
        curve = path / "online" / CURVE
        if not seed.isdecimal() or not curve.exists():
            continue
        rows = read_rows(curve, do="delete it: the run's own command writes it again")
        if rows:
            keys = (*CURVES, *_counts(rows[0]))
            description = read_json(path / DESCRIPTION)
            own, name = description.pop("name"), directory.name
            description["run_name"] = name
            if name != own:
                description["label"] += f", {name.replace('_', ' ')}"
            yield (
                int(seed),
                (description, {key: [float(row[key]) for row in rows] for key in keys}),
            )


def _counts(curve: Mapping[str, Any]) -> list[str]:
    """What the agent alone has counted, among the keys of a curve or of a point of one."""
    return [key for key in curve if key not in (*CURVES, *NUMBERS)]


def _name(runs: Runs) -> str:
    description, _ = next(iter(runs.values()))
    return f"{PREFIX}{description['domain']}_{description['run_name']}"


def _check_same(descriptions: Mapping[int, dict[str, Any]], path: Path) -> None:
    """Refuse to average over settings that differ; U may, and what decides nothing.

    A parameter that a run does not name yet, as it is older, had its default. A fact of the domain
    that it does not name is not known, and taken for the same.
    """
    (reference, first), *others = descriptions.items()
    may_differ = {"updates", "checkpoint_interval"}
    for seed, description in others:
        different = []
        for section, kind in sections_of(first["method"]).items():
            defaults = parameters.defaults(kind)
            ours, theirs = defaults | first[section], defaults | description[section]
            different += [
                f"{section}.{key}"
                for key in sorted(ours.keys() | theirs.keys())
                if ours.get(key) != theirs.get(key) and key not in may_differ
            ]
        ours, theirs = first.get(FACTS, {}), description.get(FACTS, {})
        shared = sorted(ours.keys() & theirs.keys())
        different += [f"domain.{key}" for key in shared if ours[key] != theirs[key]]
        if different:
            raise DataError(
                f"seeds {reference} and {seed} were run with another {different[0]}",
                where=str(path),
                do="move the runs that do not belong to a directory of their own; "
                "delete the file if its seeds are those",
            )
