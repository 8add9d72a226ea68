"""What the graph adds to a plan: from the camera frame that was planned on to the arm's command.

All times are the wall time (ns) at which a sender's middleware gave a message away, so that no
delay of the observer is in them; only the last is that of a receipt. Not counted: the solver
itself, and what the design waits for on purpose, the end of the motion and the next frame.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ls3_common.errors import UserError
from ls3_common.processes import Child, started
from ls3_common.shared import find_shared
from ls3_system_tests.observer import watch

PROFILE = {"candidates": 64, "particles": 4, "elites": 8, "iterations": 2}
"""A planner that costs little: the graph is measured, not the solver."""
START_S, STEP_S = 120.0, 3.0
"""Longest wall time until the graph is up, and of a step on average."""


def measure(steps: int = 500, domain_id: int | None = None, model: str = "") -> dict[str, Any]:
    """Run the simulated graph of cable routing in real time and watch `steps` of its steps.

    About 0.4 s a step. The graph is the shipped one but for a small planner and for episodes that
    go on at the goal. `load` is the computer's 1-minute load average, begin and end.
    `steal_percent` is what the host of a virtual machine kept of the processor time asked for.

    Args:
        steps: control steps to watch.
        domain_id: ROS domain to run in; None draws one.
        model: directory of the models; empty: the shipped ones.

    Raises:
        UserError: there is no graph to start, or it ended or stalled before the last step.
    """
    domain_id = domain_id or random.SystemRandom().randint(1, 101)
    load, (used, stolen) = [round(os.getloadavg()[0], 2)], _processor_time()
    with (
        tempfile.TemporaryDirectory() as directory,
        _graph(Path(directory), domain_id, model) as log,
    ):
        trace = watch(domain_id, steps, log.process.alive, START_S + STEP_S * steps)
        if len(trace.steps) < steps:
            raise UserError(
                f"{len(trace.steps)} of {steps} steps seen; the graph's last words:\n{log.tail()}"
            )
    load.append(round(os.getloadavg()[0], 2))
    now_used, now_stolen = _processor_time()
    asked = now_used - used + now_stolen - stolen
    steal = round(100 * (now_stolen - stolen) / max(asked, 1), 1)
    return {**trace.figures(), "load": load, "steal_percent": steal}


def _processor_time() -> tuple[int, int]:
    """Used by anything, and stolen by the host, since the computer started (ticks); Linux."""
    try:
        fields = list(map(int, Path("/proc/stat").read_text().split()[1:9]))
    except OSError:
        return 0, 0
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return user + nice + system + interrupts + soft, stolen


@dataclass
class _Graph:
    """A launch that runs, and what it says."""

    process: Child
    output: Path

    def tail(self) -> str:
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def _graph(directory: Path, domain_id: int, model: str) -> Iterator[_Graph]:
    """The graph from its launch file, ended with the block."""
    config = find_shared("config/cable_routing.yaml")
    if config is None:
        raise UserError("config/cable_routing.yaml is not installed")
    document = yaml.safe_load(config.read_text())
    document["/**/planner_node"]["ros__parameters"]["realtime"] = PROFILE
    document["/**/run_node"]["ros__parameters"]["stop_on_success"] = False
    (directory / "config.yaml").write_text(yaml.safe_dump(document))
    arguments = {
        "config": directory / "config.yaml",
        "out": directory,
        "episodes": 10_000,
        "real_time_factor": 1.0,
        "video": "false",
        "profile": "realtime",
        **({"model": model} if model else {}),
    }
    command = ["ros2", "launch", "ls3_planner", "cable_routing.launch.py"]
    command += [f"{name}:={value}" for name, value in arguments.items()]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}
    output = directory / "launch.log"
    with (
        output.open("wb") as file,
        started(command, environment=environment, output=file, errors=file) as process,
    ):
        yield _Graph(process, output)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500), indent=1))
