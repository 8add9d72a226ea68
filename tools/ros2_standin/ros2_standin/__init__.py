"""The `ros2` command line for machines without a ROS install, and what its modules share.

The stand-in is not ROS. Under the same names it supplies what this project's launch files and
documents use, and refuses everything else by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__version__ = "0.1.0"
NAME = "ROS 2 stand-in"


class StandinError(RuntimeError):
    """A mistake that the user can fix: printed as one line, without a traceback."""


def sourced_ros(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the prefix of a real ROS 2 that is sourced in `environment`; None if there is none."""
    for prefix in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if environment.get("ROS_DISTRO") and Path(prefix).is_relative_to("/opt/ros"):
            return prefix
        # in any location: a prefix that contains the real package `launch`
        if Path(prefix, "share/ament_index/resource_index/packages/launch").is_file():
            return prefix
    return None


def refuse_beside_ros() -> None:
    """Refuse to be used beside a real ROS 2.

    Raises:
        ImportError: a real ROS 2 is sourced.
    """
    prefix = sourced_ros()
    if prefix is not None:
        raise ImportError(
            f"the {NAME} does not run where a real ROS 2 is sourced ({prefix}): "
            "use that ROS, and uninstall ros2-standin from this Python"
        )
