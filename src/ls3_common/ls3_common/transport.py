"""What Fast DDS carries messages by, between processes of one computer."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = {
    "shared_memory": Path(__file__).with_name("fastdds.xml"),
    "udp": Path(__file__).with_name("fastdds_udp.xml"),
}
"""What Fast DDS needs for either. By shared memory a frame of 640x480 arrives (a camera driver that
is not ours needs that profile too, as it is the sender's). By UDP larger ones than a datagram are
lost in pieces, but a process that is killed leaves nobody deaf (docs/safety.md)."""
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
FORMERLY = "FASTRTPS_DEFAULT_PROFILES_FILE"  # Humble; a newer Fast DDS reads both, and complains
THEIRS = (VARIABLE, FORMERLY, "FASTDDS_BUILTIN_TRANSPORTS")


def settings(kind: str = "shared_memory") -> dict[str, str]:
    """Environment that has a process use a profile; empty where the user has settings of their own.

    kind: a key of PROFILES. Other middleware ignores it.
    """
    if any(os.environ.get(name) for name in THEIRS):
        return {}
    humble = os.environ.get("ROS_DISTRO") == "humble"
    return {FORMERLY if humble else VARIABLE: str(PROFILES[kind])}


def configure() -> None:
    """Apply `settings` to this process and its children; to be called before rclpy.init."""
    os.environ.update(settings())
