"""The `ros2` command line for machines with no ROS install, and what its modules share.

This is not ROS. It supplies, under the same names, what this project's launch files and
README commands use, and refuses everything else by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__version__ = "0.1.0"
NAME = "ROS 2 stand-in"


class StandinError(RuntimeError):
    """A mistake the user can mend: printed as one line, never with a traceback."""


def sourced_ros(environment: Mapping[str, str] = os.environ) -> str | None:
    """The prefix of the real ROS 2 that is sourced in `environment`, or None."""
    for prefix in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if environment.get("ROS_DISTRO") and Path(prefix).is_relative_to("/opt/ros"):
            return prefix
        # wherever it is installed: a prefix that brings the real package `launch`
        if Path(prefix, "share/ament_index/resource_index/packages/launch").is_file():
            return prefix
    return None


def refuse_beside_ros() -> None:
    """Raise ImportError where a real ROS 2 is sourced, which must never meet this package."""
    prefix = sourced_ros()
    if prefix is not None:
        raise ImportError(
            f"the {NAME} does not run where a real ROS 2 is sourced ({prefix}): "
            "use that ROS, and uninstall ros2-standin from this Python"
        )
