"""Measures how online learning's cost grows with episodes, frames and workers.

    python tools/bench/growth.py [--out results/online_cost.json]

Domain: navigation, with the shipped model. Episodes and workers are measured with a tenth of the
candidates and few gradient steps, as only ratios matter.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compare
import torch

from ls3.runs.domains import load_domain
from ls3_models.benchmark import synthetic_episode
from ls3_models.heads import TrainingData
from ls3_models.learner import Learner
from ls3_models.replay import Replay

EPISODES, FRAMES, WORKERS = (2, 4, 8), (10_000, 40_000, 160_000), (1, 2, 4)
CHEAP = (
    "planner_node.realtime.candidates=50",
    "planner_node.realtime.elites=10",
    "learner.update_iterations=4",
    "learner.value_update_iterations=4",
)
STEPS = 50
"""Steps of an episode of random latents."""


def exponent(sizes: list[float], costs: list[float]) -> float:
    """Return the power of the size with which the cost grows, between least and greatest size."""
    return round(math.log(costs[-1] / costs[0]) / math.log(sizes[-1] / sizes[0]), 2)


def by_episodes(data: Path) -> list[dict[str, float]]:
    """Measure phases of several lengths: processor time without the update."""
    rows = []
    for count in EPISODES:
        found = run(data, episodes=count)
        acting = found["total_s"] - sum(found["seconds"][part] for part in compare.UPDATING)
        rows.append({"episodes": count, "steps": found["steps"], "acting_s": acting})
    return rows


def by_frames() -> list[dict[str, float]]:
    """Measure gradient steps, and the adding of an episode, for replays of several sizes."""
    torch.set_num_threads(1)
    domain = load_domain("navigation")
    spec = domain.data_spec
    learner = Learner(domain.learner, spec.observation_shape[2], len(spec.action_low), seed=0)
    bounds = torch.tensor(spec.action_low), torch.tensor(spec.action_high)
    episode = synthetic_episode(spec, STEPS, 0)
    shape = STEPS + 1, domain.learner.latent_dim
    replay = Replay(domain.learner, *bounds)
    draw = torch.Generator().manual_seed(0)

    def add() -> None:
        replay.add(episode, torch.randn(shape, generator=draw), torch.full(shape, 0.1))

    def add_and_draw() -> None:
        add()
        replay.draw(TrainingData.FRAMES, (1, 1), draw)

    work: dict[str, Callable[[], object]] = {
        "value_step_s": functools.partial(learner.value_step, replay, monte_carlo=False),
        "head_step_s": functools.partial(learner.head_step, replay),
        "add_s": add_and_draw,
    }
    rows = []
    for count in FRAMES:
        while len(replay) < count:
            add()
        medians = {
            name: statistics.median([spent(step) for _ in range(9)]) for name, step in work.items()
        }
        rows.append({"frames": len(replay), "replay_bytes": replay.nbytes, **medians})
    return rows


def by_workers(data: Path) -> list[dict[str, float]]:
    """Measure the second phase of four episodes, on the wall."""
    rows = []
    for count in WORKERS:
        found = run(data, episodes=4, phases=2, workers=count)
        rows.append(
            {
                "workers": count,
                "phase_wall_s": found["phase_wall_s"],
                "processor_s": found["total_s"] + found["workers_s"],
            }
        )
    return rows


def run(data: Path, **options: int) -> dict[str, Any]:
    """Run `online.py` with cheap plans and updates."""
    words = ["navigation", str(data)]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    words += [word for text in CHEAP for word in ("--set", text)]
    return compare.measured(compare.ROOT, words)


def spent(work: Callable[[], object]) -> float:
    """Return the processor time of a call, s."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Measure, and write the section "growth"."""
    parser = argparse.ArgumentParser(description=__doc__)
    path = compare.ROOT / "results" / "online_cost.json"
    parser.add_argument("--out", type=Path, default=path, help="results file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data = compare.collected("navigation", Path(name))
        figures: dict[str, Any] = {
            "frames": by_frames(),
            "episodes": by_episodes(data),
            "workers": by_workers(data),
        }
    exponents = {}
    for quantity, rows in figures.items():
        sizes = [row[quantity] for row in rows]
        exponents[quantity] = {
            cost: exponent(sizes, [row[cost] for row in rows])
            for cost in rows[0]
            if cost.endswith("_s")
        }
    figures["exponents"] = exponents
    compare.record(options.out, "growth", figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
