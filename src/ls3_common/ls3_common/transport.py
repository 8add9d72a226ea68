"""What Fast DDS carries messages by: UDP, and shared memory where a camera's frames come or go.

A frame of 640x480 is too much for UDP: pieces of it are lost. Nothing else is received by shared
memory. There all senders of a computer lock a receiver's queue, and one that is killed while it
holds that lock cuts the receiver off from everybody until that is begun anew (docs/robot.md).
"""

from __future__ import annotations

import os
from pathlib import Path

FRAMES = "fastdds.xml"
"""Profile of what takes or gives a camera's frames; a driver that is not ours needs it too."""
SMALL = "fastdds_udp.xml"
"""Profile of everything else."""
DIRECTORY = Path(__file__).parent
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
FORMERLY = "FASTRTPS_DEFAULT_PROFILES_FILE"  # Humble; a newer Fast DDS reads both, and complains
THEIRS = (VARIABLE, FORMERLY, "FASTDDS_BUILTIN_TRANSPORTS")
ELSEWHERE = "LS3_TRANSPORT"
"""Environment variable: a folder with other profiles of these two names."""


def configure(*, frames: bool = False) -> None:
    """Use a profile in this process and its children, unless the user has settings of their own.

    To be called before rclpy.init. Other middleware ignores it. A profile of ours, as a driver's
    shell or a parent process has it, is no setting of the user's.
    """
    if any(_is_theirs(os.environ.get(name)) for name in THEIRS):
        return
    directory = Path(os.environ.get(ELSEWHERE) or DIRECTORY)
    humble = os.environ.get("ROS_DISTRO") == "humble"
    os.environ[FORMERLY if humble else VARIABLE] = str(directory / (FRAMES if frames else SMALL))


def _is_theirs(value: str | None) -> bool:
    return bool(value) and Path(str(value)).name not in (FRAMES, SMALL)
