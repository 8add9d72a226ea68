"""Checks of a launch's arguments and surroundings, before any process starts."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from launch.actions import DeclareLaunchArgument

FILES = ("config", "script")
"""Arguments that name a file, which must exist."""
FOLDERS = ("model", "out", "run", "data", "offline", "security")
"""Arguments that name a directory."""

# arguments that launch itself, or a launch file that includes this one, may have set
FOREIGN = {"launch-prefix", "launch-prefix-filter", "emulate_tty", "log_level"}
FOREIGN |= {"ros_namespace", "ros_remaps", "ros_params", "global_params"}

_locks: list[socket.socket] = []  # held until this process ends


def refuse_unknown(arguments: Sequence[DeclareLaunchArgument], given: Mapping[str, str]) -> None:
    """Refuse arguments that do not exist, which launch itself would silently ignore.

    Raises:
        RuntimeError: an argument does not exist; the text names it and the arguments that exist.
    """
    known = {argument.name for argument in arguments}
    unknown = sorted(set(given) - known - FOREIGN)
    if unknown:
        raise RuntimeError(
            f"unknown launch argument '{unknown[0]}'; the arguments are {', '.join(sorted(known))}"
        )


def check_arguments(
    arguments: Sequence[DeclareLaunchArgument], given: MutableMapping[str, str]
) -> None:
    """Refuse arguments that do not exist, and make those that are paths absolute, in place.

    No shell replaces a tilde after `:=`, so that is done here. Nodes may run in another directory.

    Raises:
        RuntimeError: an argument does not exist, a file is missing, or the home directory that a
            tilde stands for is unknown.
    """
    refuse_unknown(arguments, given)
    for name in (*FILES, *FOLDERS):
        if value := given.get(name):
            path = os.path.expanduser(value)
            if path.startswith("~"):
                raise RuntimeError(f"{name}:={value}: this home directory is unknown")
            given[name] = os.path.abspath(path)
            if name in FILES and not os.path.isfile(path):
                raise RuntimeError(f"{name}:={value} is not a file")


def number(
    given: Mapping[str, str],
    name: str,
    kind: type[int] | type[float],
    low: float,
    high: float = float("inf"),
) -> Any:
    """Return a launch argument as a number in [low, high].

    Raises:
        RuntimeError: the argument is not such a number; the text names argument and range.
    """
    try:
        value = kind(given[name])
    except ValueError:
        value = None
    if value is None or not low <= value <= high or value == float("inf"):
        what = "a whole number" if kind is int else "a number"
        limits = f">= {low}" if high == float("inf") else f"in [{low}, {high}]"
        raise RuntimeError(f"launch argument {name}:={given[name]} is not {what} {limits}")
    return value


def lock_domain() -> None:
    """Refuse a ROS domain in which another graph of this stack runs, until this process ends.

    Raises:
        RuntimeError: such a graph runs.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    # an abstract socket has one holder in a network namespace, like DDS, and ends with it
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0ls3_planner.domain.{domain}")
    except OSError:
        raise RuntimeError(
            f"ROS domain {domain} has a running LS3 graph: two graphs in one domain would command "
            "each other's arm. Stop the other graph, or set another ROS_DOMAIN_ID"
        ) from None
    _locks.append(lock)
