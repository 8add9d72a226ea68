"""The graph's overhead in a control step: the time from a camera frame to the arm's command.

All times are wall times (ns) at which a sender's middleware sent a message, so that they contain no
delay of the observer; only the last one is the time of a receipt. Two things are not counted: the
solver itself, and what the design waits for on purpose, the end of the motion and the next frame.
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
"""Settings of a fast planner: the graph is measured, not the solver."""
START_S, STEP_S = 120.0, 3.0
"""Longest wall times: until the graph has started, and of a step on average."""


def measure(steps: int = 500, domain_id: int | None = None, model: str = "") -> dict[str, Any]:
    """Run the simulated graph of cable routing in real time, and time `steps` control steps.

    A step takes about 0.4 s. The graph is the shipped one, except that the planner is small and
    that episodes continue at the goal.

    Args:
        steps: control steps to time.
        domain_id: ROS domain to run in; None draws one.
        model: directory of the models; empty: the shipped models.

    Returns:
        `Trace.figures` and two more. `load` is the computer's 1-minute load average at begin and
        end. `steal_percent` is the share of the processor time asked for that the host of a
        virtual machine did not give.

    Raises:
        UserError: there is no graph to start, or it ended or stalled before the last step.
    """
    domain_id = domain_id or random.SystemRandom().randint(1, 101)
    load, (used, stolen) = [round(os.getloadavg()[0], 2)], _processor_time()
    with (
        tempfile.TemporaryDirectory() as directory,
        small_graph(Path(directory), domain_id, model) as log,
    ):
        trace = watch(domain_id, steps, log.process.alive, START_S + STEP_S * steps)
        if len(trace.steps) < steps:
            raise UserError(
                f"only {len(trace.steps)} of {steps} steps were seen. "
                f"The end of the graph's output:\n{log.tail()}"
            )
    load.append(round(os.getloadavg()[0], 2))
    now_used, now_stolen = _processor_time()
    asked = now_used - used + now_stolen - stolen
    steal = round(100 * (now_stolen - stolen) / max(asked, 1), 1)
    return {**trace.figures(), "load": load, "steal_percent": steal}


def _processor_time() -> tuple[int, int]:
    """Return the processor time used, and stolen by the host, since boot (ticks); Linux only."""
    try:
        fields = list(map(int, Path("/proc/stat").read_text().split()[1:9]))
    except OSError:
        return 0, 0
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return user + nice + system + interrupts + soft, stolen


@dataclass
class RunningGraph:
    """A running launch and the file with its output."""

    process: Child
    output: Path

    def tail(self) -> str:
        """Return the last lines of the output."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def small_graph(directory: Path, domain_id: int, model: str) -> Iterator[RunningGraph]:
    """Launch the simulated graph with a small planner during the block.

    Args:
        directory: where the graph writes.
        domain_id: ROS domain to run in.
        model: directory of the models; empty: the shipped models.

    Raises:
        UserError: there is no parameter file, or no `ros2` command.
    """
    config = find_shared("config/cable_routing.yaml")
    if config is None:
        raise UserError("config/cable_routing.yaml is not installed", do="run `make build`")
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
        yield RunningGraph(process, output)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500), indent=1))
