"""Evaluates the policies that a run has kept on its way (figure 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium

from ls3.learning.algorithm import POLICIES
from ls3.learning.policy import play
from ls3_common.errors import DataError
from ls3_common.files import read_rows, write_rows
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models.agent import Policy

ROLLOUTS = "checkpoints.jsonl"
"""File of the rollouts in the directory of the online learning: one row each."""


def kept_policies(directory: Path) -> dict[int, Path]:
    """Return the policies that a run's online learning has kept, by the episodes before each.

    directory: of the online learning.

    Raises:
        DataError: there are none.
    """
    paths = sorted((directory / POLICIES).glob("[0-9]*"))
    if not paths:
        raise DataError(
            "this run has kept no policy on its way",
            where=str(directory),
            do="give the run of `ls3 learn` as --run, or learn anew: runs of an earlier version "
            "kept none",
        )
    return {int(path.name): path for path in paths}


def evaluate_kept(
    directory: Path, load: Callable[[Path], Policy], env: gymnasium.Env, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Run one greedy episode of every kept policy with every seed, but for those that have run.

    Args:
        directory: of the online learning; each rollout is written there as it ends.
        load: reads a policy from its directory.
        env: the domain's environment.
        seeds: seeds of the rollouts, the same for every policy.

    Returns:
        One row for each rollout: `episodes` before the policy, `seed`, `success`, `violation` and
        `steps`.

    Raises:
        DataError: there is no policy, or one is damaged.
        Interrupted: on SIGINT or SIGTERM, after the current rollout.
    """
    kept = kept_policies(directory)
    rows = read_rollouts(directory)
    known = {(row["episodes"], row["seed"]) for row in rows}
    todo = {
        episodes: [seed for seed in seeds if (episodes, seed) not in known] for episodes in kept
    }
    total, left = len(kept) * len(seeds), sum(map(len, todo.values()))
    with StopRequest() as stop, bar("checkpoints", total, total - left) as progress:
        for episodes, path in kept.items():
            policy = load(path) if todo[episodes] else None
            for seed in todo[episodes]:
                assert policy is not None
                episode = play(env, policy, seed)
                rows.append(
                    {
                        "episodes": episodes,
                        "seed": seed,
                        "success": episode.succeeded,
                        "violation": episode.violated,
                        "steps": episode.steps_to_goal or len(episode),
                    }
                )
                write_rows(directory / ROLLOUTS, rows)
                progress.advance(f"after {episodes} episodes")
                if stop.requested:
                    raise Interrupted
    return rows


def read_rollouts(directory: Path) -> list[dict[str, Any]]:
    """Read the rollouts so far; none if there is no file.

    Raises:
        DataError: the file is damaged.
    """
    path = directory / ROLLOUTS
    do = "delete it; `ls3 evaluate --checkpoints` writes it again"
    return read_rows(path, do=do) if path.exists() else []


def rates(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the rates of each kept policy over its rollouts.

    Returns:
        Columns of equal length: `episodes`, `rollouts`, `success_rate` and `violation_rate`; none
        at all without any rollout.
    """
    if not rows:
        return {}
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(int(row["episodes"]), []).append(row)
    ordered = dict(sorted(groups.items()))
    return {
        "episodes": [float(number) for number in ordered],
        "rollouts": [float(len(group)) for group in ordered.values()],
        "success_rate": [sum(r["success"] for r in g) / len(g) for g in ordered.values()],
        "violation_rate": [sum(r["violation"] for r in g) / len(g) for g in ordered.values()],
    }
