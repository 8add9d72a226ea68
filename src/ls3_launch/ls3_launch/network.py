"""Who may hear and command a graph, and by what: discovery, SROS 2 enclaves, Fast DDS's transport.

docs/security.md says what the first two are good for, and how a keystore is made.
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
"""Each node has an enclave of its own name below this one."""
ENCLAVE_FILES = (
    *("identity_ca.cert.pem", "cert.pem", "key.pem"),
    *("permissions_ca.cert.pem", "governance.p7s", "permissions.p7s"),
)
"""What SROS 2 reads of an enclave."""


def arguments() -> list[DeclareLaunchArgument]:
    """The launch arguments that `environment` and `ros_arguments` read."""
    return [
        DeclareLaunchArgument(
            "discovery",
            default_value="auto",
            choices=["auto", "localhost", "subnet"],
            description="who may find the graph: this computer, or the whole subnet; auto: as the "
            "environment says, and localhost where it says nothing",
        ),
        DeclareLaunchArgument(
            "security",
            default_value="",
            description="SROS 2 keystore with an enclave /ls3/<node> for every node; none starts "
            "without it. Empty: as the environment says",
        ),
        DeclareLaunchArgument(
            "transport",
            default_value="auto",
            choices=["auto", *transport.PROFILES],
            description="what Fast DDS carries messages by: udp, which nobody's end disturbs, or "
            "shared_memory, which frames over 64 kB need; auto: shared_memory with a robot's camera"
            ". A profile of your own in the environment goes before",
        ),
    ]


def environment(given: Mapping[str, str]) -> list[SetEnvironmentVariable]:
    """What the nodes' environment must have.

    Raises:
        UserError: there is no keystore where `security` says.
    """
    settings = discovery(given.get("discovery", "auto")) | transport.settings(carrier(given))
    if given.get("security"):
        keystore = _keystore(given["security"])
        settings |= {
            "ROS_SECURITY_ENABLE": "true",
            # a node whose files are missing or refused ends; Permissive would let it in unguarded
            "ROS_SECURITY_STRATEGY": "Enforce",
            "ROS_SECURITY_KEYSTORE": str(keystore),
        }
    return [SetEnvironmentVariable(name, value) for name, value in settings.items()]


def discovery(wanted: str = "auto") -> dict[str, str]:
    """The variable of this ROS that says who may find a node."""
    if os.environ.get("ROS_DISTRO") == "humble":
        name, value = "ROS_LOCALHOST_ONLY", "0" if wanted == "subnet" else "1"
    else:
        name, value = "ROS_AUTOMATIC_DISCOVERY_RANGE", RANGES.get(wanted, "LOCALHOST")
    return {name: os.environ.get(name, value) if wanted == "auto" else value}


def carrier(given: Mapping[str, str]) -> str:
    """The key of `transport.PROFILES` for a graph; a simulated camera's frames fit a datagram."""
    wanted = given.get("transport", "auto")
    if wanted != "auto":
        return wanted
    return "shared_memory" if given.get("sim") == "false" else "udp"


def ros_arguments(given: Mapping[str, str], name: str) -> list[str]:
    """What puts a node into its enclave; nothing where no keystore is given.

    Raises:
        UserError: the keystore has no such enclave, or a part of it is missing.
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
