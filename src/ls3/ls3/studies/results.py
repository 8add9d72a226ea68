"""Gathers training runs, ``runs/<domain>/<name>/seed_*``, into ``results/training_*.json``.

Success and violation rates cover all online episodes (Tables 1 and 2). Means and standard errors
are over the seeds (section 5.2). An unfinished run counts with the episodes that it has. A seed
that is in the results file only stays there, because each seed may have run on another machine.
<name> is the method with its swept parameters, unless the user chose another directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ls3.learning.checkpoints import rates, read_rollouts
from ls3.learning.curve import CURVE
from ls3.learning.shared_offline import encoder_hash
from ls3.runs.methods import find_method
from ls3.runs.run_directory import DESCRIPTION, processors, section_key
from ls3.studies import stats
from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_common.files import read_json, read_rows, write_json
from ls3_models.resume import CHECKPOINT
from ls3_planner.config import AlgorithmConfig

PREFIX = "training_"
"""What the names of results files begin with."""
LAST = 20
"""Number of final episodes whose return shows what was learned in the end."""
CURVES = ("success", "violation", "total_reward", "steps")
"""Columns that every agent's curve has. Others, but for `NUMBERS`, are the agent's own counts."""
NUMBERS = ("episode", "phase")
"""Columns of a curve that number its points."""
FACTS = "domain_spec"
"""Key of the facts of the domain. Runs before 30 November 2026 have only T and environment."""

CHECKPOINTS = "checkpoints"
"""Key of the rates of the policies that a run has kept (`ls3.learning.checkpoints.rates`)."""
PROVENANCE = ("commit", "processors", "versions", "data_hash", "encoder")
"""What is kept of each seed's origin, as far as it is known. `encoder` is a hash of f_enc."""
ORIGINS = "origins"
"""Key of the origin of each seed."""
VARIATIONS = "variations"
"""Key of the variations that were on. Older runs, which do not have it, had none."""

Curve = dict[str, list[float]]
"""A learning curve: one value per episode in each column."""
Runs = dict[int, tuple[dict[str, Any], Curve]]
"""By seed: the description of the run (``run.json``) and its learning curve."""


def gather(runs: Path, out: Path) -> list[Path]:
    """Write one results file for each domain and name, and return their paths.

    Args:
        runs: directory of the runs.
        out: directory of the results files.

    Raises:
        DataError: no run has an episode, a file is damaged, or the seeds of a name were not run
            with the same settings.
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
    """Return the content of the results file at `path`, for all seeds of one name.

    Raises:
        DataError: the seeds were not run with the same settings.
    """
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
    origins = {
        seed: {key: run[key] for key in PROVENANCE if key in run} for seed, (run, _) in runs.items()
    }
    return {
        "name": path.stem,
        "domain": first["domain"],
        "method": first["method"],
        "run_name": first["run_name"],
        "label": first["label"],
        "command": first["command"],
        "commit": ", ".join(sorted(commits)),
        "machine": first["machine"],
        "processors": sorted({cpu for run, _ in runs.values() for cpu in processors(run)}),
        ORIGINS: origins,
        "seeds_differ_in": differences(list(origins.values())),
        VARIATIONS: first.get(VARIATIONS, {}),
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
            "checkpoints": {
                seed: description[CHECKPOINTS]
                for seed, (description, _) in runs.items()
                if description.get(CHECKPOINTS)
            },
        },
    }


def differences(origins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return in which of `PROVENANCE` seeds differ that are averaged.

    A seed that does not have one of them, which an older file did not keep, differs in it.
    """
    first = origins[0]
    return [key for key in PROVENANCE if any(o.get(key) != first.get(key) for o in origins)]


def sections_of(method: str) -> dict[str, type]:
    """Return the keys of the settings in ``run.json`` and in results, with their dataclasses."""
    agent = {section_key(name): cls for name, cls in find_method(method).kind.sections.items()}
    return {**agent, "algorithm": AlgorithmConfig}


def read_results(directory: Path) -> list[dict[str, Any]]:
    """Read all results files of training runs in a directory, sorted by file name.

    Raises:
        DataError: a file is damaged.
    """
    return [read_json(path) for path in sorted(directory.glob(f"{PREFIX}*.json"))]


def _kept(path: Path) -> Runs:
    """Return the seeds that a results file has already."""
    if not path.exists():
        return {}
    document = read_json(path)
    try:
        metrics = document["metrics"]
        description = document | {"demonstrator_return": metrics["demonstrator_return"]}
        origins = document.get(ORIGINS, {})
        return {
            int(seed): (
                description
                | {CHECKPOINTS: metrics.get(CHECKPOINTS, {}).get(seed)}
                | origins.get(seed, {}),
                {key: curve[key] for key in (*CURVES, *_counts(curve))},
            )
            for seed, curve in metrics["curves"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(
            "these are no results of training runs", where=str(path), do="delete the file"
        ) from None


def _read_runs(directory: Path) -> Iterator[tuple[int, tuple[dict[str, Any], Curve]]]:
    for path in directory.glob("seed_*"):
        seed = path.name.removeprefix("seed_")
        curve = path / "online" / CURVE
        if not seed.isdecimal() or not curve.exists():
            continue
        rows = read_rows(curve, do="delete it; the command of the run writes it again")
        if rows:
            keys = (*CURVES, *_counts(rows[0]))
            description = read_json(path / DESCRIPTION)
            own, name = description.pop("name"), directory.name
            description["run_name"] = name
            if (path / CHECKPOINT).exists():
                description["encoder"] = encoder_hash(path)
            description[CHECKPOINTS] = rates(read_rollouts(curve.parent))
            if name != own:
                description["label"] += f", {name.replace('_', ' ')}"
            yield (
                int(seed),
                (description, {key: [float(row[key]) for row in rows] for key in keys}),
            )


def _counts(curve: Mapping[str, Any]) -> list[str]:
    """Return the columns of a curve that are the agent's own counts."""
    return [key for key in curve if key not in (*CURVES, *NUMBERS)]


def _name(runs: Runs) -> str:
    description, _ = next(iter(runs.values()))
    return f"{PREFIX}{description['domain']}_{description['run_name']}"


def _check_same(descriptions: Mapping[int, dict[str, Any]], path: Path) -> None:
    """Refuse to average over runs with different settings.

    U may differ, and so may parameters without influence on the result. An older run lacks
    parameters that were added later; it had their defaults. A fact of the domain that a run does
    not have is taken to be the same.
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
        # a fact only of names; which variations were on is compared below
        shared = [key for key in shared if key != VARIATIONS]
        different += [f"domain.{key}" for key in shared if ours[key] != theirs[key]]
        if first.get(VARIATIONS, {}) != description.get(VARIATIONS, {}):
            different.append(VARIATIONS)
        if different:
            raise DataError(
                f"seeds {reference} and {seed} were run with another {different[0]}",
                where=str(path),
                do="move the runs with other settings to a directory of their own; if the seeds "
                "are in this file only, delete the file",
            )
