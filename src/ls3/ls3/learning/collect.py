"""Offline data (section 7.3): D_success, D_rand and D_constraint from the domain's behaviours."""

from __future__ import annotations

from pathlib import Path

import gymnasium

from ls3.learning.environment import behaviour, length, reset_options, run_episode, seed_of
from ls3_common.errors import UserError
from ls3_common.progress import Interrupted, StopRequest, bar
from ls3_models.episodes import SUFFIX, write_episode
from ls3_planner.config import AlgorithmConfig

ATTEMPTS = 20  # a demonstration that fails is replaced by another; this many failures are a fault


def collect(env: gymnasium.Env, config: AlgorithmConfig, directory: Path, *, seed: int) -> int:
    """Collect what is missing in `directory` and return how many episodes were added.

    Demonstrations that miss the goal or violate a constraint are not demonstrations: they are
    drawn again.

    Raises:
        Interrupted: on SIGINT or SIGTERM, after the current episode.
    """
    counts = {
        "demonstration": config.demonstrations,
        "random": config.random,
        "constraint": config.constraint,
    }
    todo = [
        (source, index)
        for source, count in counts.items()
        for index in range(count)
        if not (directory / f"{source}_{index:05d}{SUFFIX}").exists()
    ]
    total = sum(counts.values())
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
        options, steps = reset_options(env, source), length(env, source)
        episode = run_episode(env, act, source=source, seed=seed, steps=steps, options=options)
        if source != "demonstration" or (episode.succeeded and not episode.violated):
            write_episode(directory, f"{source}_{index:05d}", episode)
            return
    raise UserError(
        f"{ATTEMPTS} demonstrations in a row missed the goal or violated a constraint",
        where=source,
        do="the domain's demonstrator does not fit its layout",
    )
