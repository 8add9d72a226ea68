"""Measures the processor time of phases of online learning, and where it goes.

Runs in a process of its own, on one thread, and uses only what older versions of this project have
as well, so that `compare.py` can run it with the packages of another commit.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import ls3_models  # noqa: E402, F401  before torch: it sets how torch's threads wait

# isort: split
import gymnasium  # noqa: E402
import torch  # noqa: E402
from torch.utils.tensorboard import SummaryWriter  # noqa: E402

from ls3.learning import algorithm  # noqa: E402
from ls3.learning.ls3_agent import Ls3Agent  # noqa: E402
from ls3.runs.domains import Domain, load_domain  # noqa: E402
from ls3_common.shared import find_shared  # noqa: E402
from ls3_models import resume  # noqa: E402
from ls3_models.bundle import Bundle, load_bundle  # noqa: E402
from ls3_models.episodes import read_episodes  # noqa: E402
from ls3_models.learner import Learner  # noqa: E402
from ls3_models.memory import keep_freed_memory  # noqa: E402
from ls3_models.offline_data import OfflineData  # noqa: E402
from ls3_planner.cem import CrossEntropyPlanner  # noqa: E402
from ls3_sim.registration import make_environment  # noqa: E402


class Clock:
    """Processor time (s) by part, and the number of calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self.ends: dict[str, list[float]] = {}  # on the wall

    def watch(self, part: str, owner: Any, name: str) -> None:
        """Time every call of the function `name` of a class or module."""
        inner: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(inner)
        def timed(*args: Any, **keywords: Any) -> Any:
            started = time.process_time()
            try:
                return inner(*args, **keywords)
            finally:
                spent = time.process_time() - started
                self.seconds[part] = self.seconds.get(part, 0.0) + spent
                self.calls[part] = self.calls.get(part, 0) + 1
                self.ends.setdefault(part, []).append(time.perf_counter())

        setattr(owner, name, timed)


def watched() -> Clock:
    """Watch all parts of a phase."""
    clock = Clock()
    clock.watch("plan", CrossEntropyPlanner, "plan")
    clock.watch("encode_to_act", Bundle, "encode")
    clock.watch("encode_to_learn", Learner, "encode")
    clock.watch("head_steps", Learner, "head_step")
    clock.watch("value_steps", Learner, "value_step")
    clock.watch("environment", gymnasium.wrappers.TimeLimit, "step")
    clock.watch("environment", gymnasium.wrappers.TimeLimit, "reset")
    clock.watch("write_episode", algorithm, "write_episode")
    clock.watch("checkpoint", resume, "save")
    clock.watch("tensorboard", SummaryWriter, "add_scalar")
    return clock


def measure(
    domain: Domain, data: Path, *, phases: int, episodes: int, seed: int, workers: int = 1
) -> dict[str, Any]:
    """Run phases of online learning, beginning with the shipped model.

    Args:
        domain: the domain.
        data: directory of offline data.
        phases: number of phases.
        episodes: number of episodes in a phase.
        seed: of the run.
        workers: processes that run the episodes; 1: this one.

    Returns:
        "seconds" of this process's processor time and "calls" by part, "total_s", "steps" and
        "episodes"; "phase_wall_s", the time of the last phase, and "workers_s", the processor time
        of all workers with their start.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    models = find_shared(f"models/{domain.name}")
    assert models is not None
    offline = OfflineData.split(domain.data_spec, read_episodes(data), "measured")
    agent = Ls3Agent(domain.learner, domain.planner, offline, seed)
    weights = load_bundle(models).models.state_dict()
    agent.learner.models.load_state_dict(weights)
    for name, target in agent.learner.targets.items():
        target.load_state_dict(agent.learner.models.heads[name].state_dict())
    config = dataclasses.replace(domain.algorithm, trajectories=episodes, updates=phases)
    env = make_environment(domain.spec)
    env.reset(seed=0)  # what is made once in a process does not count
    assert len(agent.replay)
    finished: Any = SimpleNamespace(directory=data, identity={}, defaults={})
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        source = algorithm.in_process(env, stop_on_success=config.stop_on_success)
        more: dict[str, Any] = {}
        if workers > 1:
            from ls3.learning.workers import WorkerPool

            more["pool"] = stack.enter_context(WorkerPool(domain, "ls3", seed, workers))
        online = algorithm.OnlineLearning(
            agent, config, source, finished, Path(directory), seed=seed, **more
        )
        clock = watched()
        started = time.process_time()
        online.run()
        total = time.process_time() - started
    env.close()
    ends = clock.ends["checkpoint"]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "domain": domain.name,
        "episodes": len(online.rows),
        "phases": phases,
        "steps": sum(row.steps for row in online.rows),
        "success": sum(row.success for row in online.rows),
        "seconds": clock.seconds | {"rest": total - sum(clock.seconds.values())},
        "calls": clock.calls,
        "total_s": total,
        "frames": len(agent.replay),
        "phase_wall_s": ends[-1] - ends[-2] if len(ends) > 1 else None,
        "workers_s": children.ru_utime + children.ru_stime,
    }


def main() -> None:
    """Measure one domain and print the figures as the last line, JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("domain", help="name of the domain")
    add("data", type=Path, help="directory of offline data")
    add("--phases", type=int, default=1, help="number of phases")
    add("--episodes", type=int, default=5, help="episodes of a phase")
    add("--seed", type=int, default=0, help="seed of the run")
    add("--workers", type=int, default=1, help="processes that run the episodes")
    add("--set", action="append", default=[], help="SECTION.KEY=VALUE, as of `ls3`")
    options = parser.parse_args()
    domain = load_domain(options.domain, overrides=options.set)
    figures = measure(
        domain,
        options.data,
        phases=options.phases,
        episodes=options.episodes,
        seed=options.seed,
        workers=options.workers,
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
