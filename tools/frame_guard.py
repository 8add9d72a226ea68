"""Show foreign pictures to the shipped models, with and without guard: results/frame_guard.json.

    python tools/frame_guard.py [--domain NAME ...] [--starts 100] [--episodes 20]

For each domain and picture: in how many of the first `starts` episodes the guard objects to the
first or the second frame that is planned from, and how many of `episodes` episodes succeed if the
guard is off; 0 episodes take minutes instead of hours. Run the command again to continue after an
interruption.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from ls3.learning import policy
from ls3.learning.environment import run_episode
from ls3.learning.ls3_agent import guarded_policy
from ls3.learning.model_files import load_given_or_shipped
from ls3.runs.domains import Domain, load_domain
from ls3.runs.provenance import git_commit, machine
from ls3.studies.stats import exact_interval
from ls3_common.domain import domain_names
from ls3_common.files import read_json, write_json
from ls3_common.progress import bar
from ls3_models.bundle import Bundle
from ls3_models.frame_guard import START_FRAMES
from ls3_sim.foreign import Picture, pictures
from ls3_sim.registration import make_environment

RESULTS = Path(__file__).parents[1] / "results" / "frame_guard.json"
FIRST_SEED = 3_000_000
"""Seed of the first episode; nothing else uses these seeds."""
GOOD = "good"
"""Name of the row without a foreign picture."""


class Shown(gymnasium.ObservationWrapper):
    """An environment whose camera shows something else."""

    def __init__(self, env: gymnasium.Env, picture: Picture) -> None:
        super().__init__(env)
        self._picture = picture

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """Return what is shown instead."""
        return self._picture(observation)


def foreign(domain: Domain) -> dict[str, Picture]:
    """Return the pictures of a domain by name, those of another domain among them."""
    of_all = pictures(domain.spec.observation_shape[2])
    other = next(name for name in ("navigation", "pushing") if name != domain.name)
    env = make_environment(load_domain(other).spec)
    frame, _ = env.reset(seed=0)
    env.close()
    frame = frame[..., :3]
    if domain.spec.channels == 1:  # what segmentation would take for a cable
        frame = np.where(frame.min(axis=2, keepdims=True) < 128, 255, 0).astype(np.uint8)
    stacked = np.concatenate([frame] * domain.learner.frame_stack, axis=2)
    return {GOOD: lambda image: image} | of_all | {f"frames of {other}": lambda _: stacked}


def row(
    domain: Domain,
    bundle: Bundle,
    env: gymnasium.Env,
    starts: Sequence[int],
    seeds: Sequence[int],
    advance: Callable[[], None],
) -> dict[str, Any]:
    """Return how often the guard notices a picture, and how the task ends without the guard.

    Args:
        starts: seeds of the first frames.
        seeds: those of the episodes without the guard, which may be none.
    """
    guarded = guarded_policy(bundle, domain.planner)
    unguarded = guarded_policy(bundle, replace(domain.planner, frame_guard=False))
    noticed = 0
    for seed in starts:
        guarded.begin(seed)
        run_episode(env, guarded.act, source="online", seed=seed, steps=START_FRAMES)
        noticed += guarded.record()["objections"] > 0
        advance()
    episodes = []
    for seed in seeds:
        episodes.append(policy.play(env, unguarded, seed))
        advance()
    found = {"starts": len(starts), "noticed": noticed, "episodes": len(episodes)}
    succeeded = sum(episode.succeeded for episode in episodes)
    return {
        **found,
        "noticed_interval": exact_interval(noticed, len(starts)),
        "successes": succeeded,
        "successes_interval": exact_interval(succeeded, len(episodes)) if episodes else None,
        "violations": sum(episode.violated for episode in episodes),
    }


def cost_ms(bundle: Bundle, image: np.ndarray, repetitions: int = 300) -> dict[str, float]:
    """Return median and 99th percentile of the time that scoring an encoded frame takes, ms."""
    assert bundle.guard is not None
    mean, _ = bundle.encode(image[None])
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        bundle.guard.scores(image[None], mean)
        times.append(1e3 * (time.perf_counter() - began))
    return {"median": float(np.median(times)), "p99": float(np.percentile(times, 99))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that are missing, and write the results after each of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domain", nargs="*", default=domain_names())
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=20)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    starts = [FIRST_SEED + i for i in range(options.starts)]
    command = "python tools/frame_guard.py"
    command += f" --starts {options.starts} --episodes {options.episodes}"
    for name in options.domain:
        domain = load_domain(name)
        bundle = load_given_or_shipped(None, domain)
        if bundle.guard is None:
            print(f"{name}: the shipped model has no guard", file=sys.stderr)
            return 1
        document = read_json(RESULTS) if RESULTS.exists() else {"domains": {}}
        limits = [bundle.guard.anywhere.limit, bundle.guard.start.limit]
        about: dict[str, Any] = {
            "model": bundle.identity,
            "guard": {**bundle.guard.about, "limits": limits},
            "seeds": [starts[0], options.starts, options.episodes],
        }
        kept = document["domains"].get(name, {})
        rows = kept["rows"] if all(kept.get(key) == about[key] for key in about) else {}
        env = make_environment(domain.spec, domain.variations)
        todo = {key: shown for key, shown in foreign(domain).items() if key not in rows}
        with bar(name, len(todo) * (options.starts + options.episodes)) as progress:
            for key, shown in todo.items():
                advance = partial(progress.advance, key)
                rows[key] = row(
                    domain,
                    bundle,
                    Shown(env, shown),
                    starts,
                    starts[: options.episodes],
                    advance,
                )
                where = {"command": command, "commit": git_commit(), "machine": machine()}
                cost = cost_ms(bundle, env.reset(seed=0)[0])
                document["domains"][name] = {**about, **where, "cost_ms": cost, "rows": rows}
                write_json(RESULTS, document)
        env.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
