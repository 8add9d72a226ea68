"""Discovery and enclaves: what a launched process really gets, and what is refused before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ls3_common import transport
from ls3_common.errors import UserError
from ls3_launch import network as launch_network

RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import ExecuteProcess
from ls3_launch import launching
from ls3_launch.arguments import run_arguments

def start(given):
    return [ExecuteProcess(cmd=["env"], output="screen"), *launching.watched([])]

service = LaunchService(argv=sys.argv[1:])
arguments = run_arguments("cable_routing")
graph = launching.graph(arguments, start)
for entity in graph.entities:
    if type(entity).__name__ == "DeclareLaunchArgument":
        value = dict(word.split(":=") for word in sys.argv[1:]).get(entity.name)
        if value is not None:
            service.context.launch_configurations[entity.name] = value
service.include_launch_description(graph)
sys.exit(service.run())
"""


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """As `ros2 security` lays one out, with one enclave."""
    folder = tmp_path / "enclaves" / "ls3" / "arm_node"
    folder.mkdir(parents=True)
    for name in launch_network.ENCLAVE_FILES:
        (folder / name).write_text("not a certificate\n")
    return tmp_path


def launched(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A graph whose only process prints its environment."""
    clean = {k: v for k, v in os.environ.items() if k not in (RANGE, "ROS_DISTRO")}
    clean |= {"ROS_DOMAIN_ID": str(os.getpid() % 90 + 110), **environment}
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ((), {}, "LOCALHOST"),
        (("discovery:=subnet",), {}, "SUBNET"),
        ((), {RANGE: "SYSTEM_DEFAULT"}, "SYSTEM_DEFAULT"),
        (("discovery:=localhost",), {RANGE: "SUBNET"}, "LOCALHOST"),
    ],
    ids=["default", "opened", "as the environment says", "closed"],
)
def test_a_graph_is_found_on_this_computer_only_unless_it_is_opened(
    words: tuple[str, ...], environment: dict[str, str], expected: str
) -> None:
    result = launched(*words, **environment)
    assert f"{RANGE}={expected}" in result.stdout + result.stderr
    assert "ROS_SECURITY_ENABLE=true" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "udp"),
        ({"sim": "true"}, "udp"),
        ({"sim": "false"}, "shared_memory"),
        ({"sim": "false", "transport": "udp"}, "udp"),
        ({"transport": "shared_memory"}, "shared_memory"),
    ],
)
def test_a_camera_s_large_frames_go_by_shared_memory(given: dict[str, str], kind: str) -> None:
    assert launch_network.carrier(given) == kind


def test_a_launched_process_has_the_transport_s_profile() -> None:
    result = launched(**dict.fromkeys(transport.USER_VARIABLES, ""))
    assert f"{transport.VARIABLE}={transport.PROFILES['udp']}" in result.stdout + result.stderr


def test_humble_is_closed_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DISTRO", "humble")
    monkeypatch.delenv("ROS_LOCALHOST_ONLY", raising=False)
    assert launch_network.discovery() == {"ROS_LOCALHOST_ONLY": "1"}
    assert launch_network.discovery("subnet") == {"ROS_LOCALHOST_ONLY": "0"}


def test_a_keystore_is_enforced(keystore: Path) -> None:
    result = launched(f"security:={keystore}")
    seen = result.stdout + result.stderr
    assert "ROS_SECURITY_ENABLE=true" in seen
    assert "ROS_SECURITY_STRATEGY=Enforce" in seen
    assert f"ROS_SECURITY_KEYSTORE={keystore}" in seen
    found = launch_network.ros_arguments({"security": str(keystore)}, "arm_node")
    assert found == ["--enclave", "/ls3/arm_node"]


def test_a_keystore_that_is_none_starts_nothing(tmp_path: Path) -> None:
    result = launched(f"security:={tmp_path / 'nowhere'}")
    seen = result.stdout + result.stderr
    assert result.returncode == 1
    assert "no SROS 2 keystore" in seen and "create_keystore" in seen
    assert "Traceback" not in seen
    assert f"{RANGE}=" not in seen  # no process was started


@pytest.mark.parametrize("name", launch_network.ENCLAVE_FILES)
def test_an_enclave_without_one_of_its_files_is_refused(keystore: Path, name: str) -> None:
    (keystore / "enclaves" / "ls3" / "arm_node" / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        launch_network.ros_arguments({"security": str(keystore)}, "arm_node")
    with pytest.raises(UserError, match="/ls3/planner_node lacks"):
        launch_network.ros_arguments({"security": str(keystore)}, "planner_node")


def test_no_node_starts_unguarded_where_security_cannot_be_had(keystore: Path) -> None:
    # certificates that are none, or, as with the wheels of PyPI, a middleware without the plugins
    variables = {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(keystore),
    }
    code = (
        "import sys; from rclpy.node import Node; from ls3_common import ros; "
        "sys.exit(ros.run(lambda: Node('arm_node')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "--ros-args", "--enclave", "/ls3/arm_node"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 2
    assert "the middleware refuses to start securely" in result.stderr
    assert "Traceback" not in result.stderr
