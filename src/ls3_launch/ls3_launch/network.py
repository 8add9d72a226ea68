"""The network settings of a graph: discovery, SROS 2 security, and the transport of Fast DDS.

docs/security.md explains what discovery and security protect against, and how to make a keystore.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable

from ls3_common import transport
from ls3_common.errors import UserError

RANGES = {"localhost": "LOCALHOST", "subnet": "SUBNET"}
ENCLAVES = "/ls3"
"""Prefix of the enclaves. Each node has an enclave with the node's name."""
ENCLAVE_FILES = (
    *("identity_ca.cert.pem", "cert.pem", "key.pem"),
    *("permissions_ca.cert.pem", "governance.p7s", "permissions.p7s"),
)
"""The files that SROS 2 reads in an enclave."""


def arguments() -> list[DeclareLaunchArgument]:
    """Declare the launch arguments that `environment` and `ros_arguments` read."""
    return [
        DeclareLaunchArgument(
            "discovery",
            default_value="auto",
            choices=["auto", "localhost", "subnet"],
            description="who may find the graph: this computer, or the whole subnet; auto: as set "
            "in the environment, or else localhost",
        ),
        DeclareLaunchArgument(
            "security",
            default_value="",
            description="SROS 2 keystore with an enclave /ls3/<node> for each node. Empty: as "
            "set in the environment",
        ),
        DeclareLaunchArgument(
            "transport",
            default_value="auto",
            choices=["auto", *transport.PROFILES],
            description="how Fast DDS carries messages: udp, undisturbed by killed processes, or "
            "shared_memory, which frames over 64 kB need; auto: shared_memory with a robot's "
            "camera, else udp. A Fast DDS profile in the environment takes precedence",
        ),
    ]


def environment(given: Mapping[str, str]) -> list[SetEnvironmentVariable]:
    """Set the environment variables of the nodes.

    Raises:
        UserError: there is no keystore at the path in `security`.
    """
    settings = discovery(given.get("discovery", "auto")) | transport.settings(carrier(given))
    if given.get("security"):
        keystore = _keystore(given["security"])
        settings |= {
            "ROS_SECURITY_ENABLE": "true",
            # a node without valid files ends; with Permissive it would run without security
            "ROS_SECURITY_STRATEGY": "Enforce",
            "ROS_SECURITY_KEYSTORE": str(keystore),
        }
    return [SetEnvironmentVariable(name, value) for name, value in settings.items()]


def discovery(wanted: str = "auto") -> dict[str, str]:
    """Return the variable by which the installed ROS restricts discovery, with its value."""
    if os.environ.get("ROS_DISTRO") == "humble":
        name, value = "ROS_LOCALHOST_ONLY", "0" if wanted == "subnet" else "1"
    else:
        name, value = "ROS_AUTOMATIC_DISCOVERY_RANGE", RANGES.get(wanted, "LOCALHOST")
    return {name: os.environ.get(name, value) if wanted == "auto" else value}


def carrier(given: Mapping[str, str]) -> str:
    """Return the key of `transport.PROFILES` for a graph.

    The frames of a simulated camera fit into a datagram, so that UDP is enough.
    """
    wanted = given.get("transport", "auto")
    if wanted != "auto":
        return wanted
    return "shared_memory" if given.get("sim") == "false" else "udp"


def ros_arguments(given: Mapping[str, str], name: str) -> list[str]:
    """Return the arguments that put a node into its enclave; none if no keystore is given.

    Raises:
        UserError: the keystore has no such enclave, or a file of the enclave is missing.
    """
    if not given.get("security"):
        return []
    keystore, enclave = _keystore(given["security"]), f"{ENCLAVES}/{name}"
    folder = keystore / "enclaves" / enclave.strip("/")
    missing = [file for file in ENCLAVE_FILES if not (folder / file).is_file()]
    if missing:
        raise UserError(
            f"enclave {enclave} lacks {', '.join(missing)}",
            where=f"security:={keystore}",
            do=f"ros2 security create_enclave {keystore} {enclave}",
        )
    return ["--enclave", enclave]


def _keystore(path: str) -> Path:
    keystore = Path(path).absolute()
    if not (keystore / "enclaves").is_dir():
        raise UserError(
            "no SROS 2 keystore",
            where=f"security:={path}",
            do=f"make one: ros2 security create_keystore {path} (docs/security.md)",
        )
    return keystore
