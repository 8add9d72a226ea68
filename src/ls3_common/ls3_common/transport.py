"""How Fast DDS carries messages between processes of one computer: shared memory or UDP."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = {
    "shared_memory": Path(__file__).with_name("fastdds.xml"),
    "udp": Path(__file__).with_name("fastdds_udp.xml"),
}
"""Fast DDS profiles by transport. Shared memory carries a frame of 640x480; another project's
camera driver needs that profile too, because the sender's profile decides. UDP can lose a part of
any frame that is larger than a datagram. With shared memory, though, a killed process can leave
others unable to receive (docs/safety.md)."""
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
HUMBLE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
"""Name of `VARIABLE` on Humble. A newer Fast DDS reads both, but warns about this one."""
USER_VARIABLES = (VARIABLE, HUMBLE_VARIABLE, "FASTDDS_BUILTIN_TRANSPORTS")
"""If the user has set one of these, this module changes nothing."""


def settings(kind: str = "shared_memory") -> dict[str, str]:
    """Return the environment variables by which a process uses a profile.

    The result is empty if the user has set a profile or transport. Middleware other than Fast DDS
    ignores the variables.

    Args:
        kind: a key of PROFILES.
    """
    if any(os.environ.get(name) for name in USER_VARIABLES):
        return {}
    humble = os.environ.get("ROS_DISTRO") == "humble"
    return {HUMBLE_VARIABLE if humble else VARIABLE: str(PROFILES[kind])}


def configure() -> None:
    """Apply `settings` to this process and its children. Call this before rclpy.init."""
    os.environ.update(settings())
