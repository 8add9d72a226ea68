"""How frames of a camera travel between processes of one computer without being lost."""

from __future__ import annotations

import os
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds.xml")
"""What Fast DDS needs; a camera driver that is not ours needs it too, as it is the sender's."""
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
FORMERLY = "FASTRTPS_DEFAULT_PROFILES_FILE"  # Humble; a newer Fast DDS reads both, and complains
THEIRS = (VARIABLE, FORMERLY, "FASTDDS_BUILTIN_TRANSPORTS")


def configure() -> None:
    """Use the profile in this process and its children, unless the user has settings of their own.

    To be called before rclpy.init. Other middleware ignores it.
    """
    if not any(os.environ.get(name) for name in THEIRS):
        humble = os.environ.get("ROS_DISTRO") == "humble"
        os.environ[FORMERLY if humble else VARIABLE] = str(PROFILE)
