#!/usr/bin/env python3
"""Run a launch file for some episodes and succeed only if they ran.

    tools/run.py --episodes 3 [--out out/cable_routing] [launch arguments, as name:=value]

`ros2 launch` may return 0 although nodes died. Therefore the summary decides, which the run writes
last: it must be complete, and newer than the start of this command.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ls3_common.errors import UserError
from ls3_common.processes import started

SUMMARY_KEYS = (
    "episodes",
    "successes",
    "violations",
    "mean_steps",
    "demonstrator_mean_steps",
    "plan_ms_median",
    "frame_to_command_ms_p99",
)


def version(path: Path) -> tuple[int, int]:
    """Return what changes with a file whenever it is written; zeros if there is no file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (stat.st_ino, stat.st_mtime_ns)


def faults(path: Path, episodes: int, earlier: tuple[int, int]) -> list[str]:
    """Return what is wrong with the summary at `path`; an empty list if all episodes ran.

    Args:
        path: the summary.
        episodes: the number of episodes that were asked for.
        earlier: `version` of the file before the run.
    """
    try:
        text = path.read_text()
        if version(path) == earlier:
            return [f"{path} is of an earlier run"]
        summary: Any = json.loads(text)
    except FileNotFoundError:
        return [f"{path} was not written"]
    except ValueError as error:
        return [f"{path} is not JSON: {error}"]
    if not isinstance(summary, dict):
        return [f"{path} holds no summary"]
    found = [f"{path} lacks '{key}'" for key in SUMMARY_KEYS if key not in summary]
    for key in SUMMARY_KEYS:
        value = summary.get(key, 0)
        # without a success there are no mean steps to the goal
        if value is None and key == "mean_steps" and summary.get("successes") == 0:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            found.append(f"{path}: '{key}' is {value!r}")
    if summary.get("episodes") != episodes:
        found.append(f"{path} counts {summary.get('episodes')} of {episodes} episodes")
    return found


def launch(command: list[str]) -> int:
    """Run `command` to its end, and return its exit code, or 130 if Ctrl-C ended it.

    Every signal reaches the command as Ctrl-C would: on SIGTERM `ros2 launch` would leave its nodes
    running.

    Raises:
        SystemExit: SIGTERM or SIGHUP ended the command; the code is 128 + signal.
    """
    try:
        with started(command) as child:
            child.wait()
        return child.process.returncode
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--launch-file", default="cable_routing.launch.py", help="launch file of ls3_planner")
    add("--episodes", type=int, default=3, help="number of episodes")
    add("--out", type=Path, default=Path("out/cable_routing"), help="directory of the results")
    add("arguments", nargs="*", metavar="NAME:=VALUE", help="further launch arguments")
    options = parser.parse_args()

    if "ROS_DOMAIN_ID" not in os.environ:
        # the simulation must not find robots in the network
        local = "ROS_LOCALHOST_ONLY" if os.environ.get("ROS_DISTRO") == "humble" else ""
        os.environ.setdefault(
            local or "ROS_AUTOMATIC_DISCOVERY_RANGE", "1" if local else "LOCALHOST"
        )
    command = ["ros2", "launch", "ls3_planner", options.launch_file]
    command += [f"episodes:={options.episodes}", f"out:={options.out}", *options.arguments]
    print("+", *command, flush=True)
    summary = options.out / "summary.json"
    earlier = version(summary)
    try:
        code = launch(command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if code != 0:
        print(f"error: ros2 launch ended with {code}", file=sys.stderr)
        return code if code > 0 else 128 - code  # a negative code names the signal that killed it
    problems = faults(summary, options.episodes, earlier)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        print(f"{options.episodes} episodes: {summary}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
