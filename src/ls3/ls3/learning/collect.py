"""Collects D_success, D_rand and D_constraint with the domain's behaviours (section 7.3)."""

from __future__ import annotations

from pathlib import Path

import gymnasium

from ls3.learning.environment import (
    behaviour,
    behaviour_length,
    reset_options,
    run_episode,
)
from ls3_common.errors import UserError
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_common.seeds import seed_of
from ls3_models.episodes import SUFFIX, write_episode
from ls3_planner.config import AlgorithmConfig

ATTEMPTS = 20
"""Number of failed attempts at one demonstration after which the demonstrator is at fault."""


def counts(config: AlgorithmConfig) -> dict[str, int]:
    """Return the number of episodes of each behaviour."""
    return {
        "demonstration": config.demonstrations,
        "random": config.random,
        "constraint": config.constraint,
    }


def collect(env: gymnasium.Env, config: AlgorithmConfig, directory: Path, *, seed: int) -> int:
    """Collect the episodes that `directory` lacks, and return their number.

    A demonstration that misses the goal or violates a constraint is replaced by another one.

    Raises:
        UserError: `ATTEMPTS` demonstrations in a row have failed.
        Interrupted: on SIGINT or SIGTERM, after the current episode.
    """
    todo = [
        (source, index)
        for source, count in counts(config).items()
        for index in range(count)
        if not (directory / f"{source}_{index:05d}{SUFFIX}").exists()
    ]
    total = sum(counts(config).values())
    with StopRequest() as stop, bar("collect", total, total - len(todo)) as progress:
        for source, index in todo:
            _collect_one(env, source, index, directory, seed)
            progress.advance(source)
            if stop.requested:
                raise Interrupted
    return len(todo)


def _collect_one(
    env: gymnasium.Env, source: str, index: int, directory: Path, base_seed: int
) -> None:
    for attempt in range(ATTEMPTS):
        seed = seed_of(base_seed, f"{source}/{attempt}", index)
        act = behaviour(env, source, seed)
        options, steps = reset_options(env, source), behaviour_length(env, source)
        episode = run_episode(env, act, source=source, seed=seed, steps=steps, options=options)
        if source != "demonstration" or (episode.succeeded and not episode.violated):
            write_episode(directory, f"{source}_{index:05d}", episode)
            return
    raise UserError(
        f"{ATTEMPTS} demonstrations in a row missed the goal or violated a constraint",
        where=source,
        do="check the domain's demonstrator against its layout",
    )
