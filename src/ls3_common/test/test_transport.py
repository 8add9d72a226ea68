"""The Fast DDS profiles: well-formed, used where the user has none, and otherwise left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from ls3_common import transport

NODE = """
import sys
from pathlib import Path
from rclpy.node import Node
from ls3_common.ros import run

class Looks(Node):
    def __init__(self):
        super().__init__("looks")
        print("/dev/shm/fastdds_port" in Path("/proc/self/maps").read_text())
        raise SystemExit(0)

sys.exit(run(Looks))
"""


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*transport.USER_VARIABLES, "ROS_DISTRO"):
        monkeypatch.setenv(name, "")  # so that it is restored, whatever `configure` does


def test_shared_memory_holds_four_frames() -> None:
    tree = ElementTree.parse(transport.PROFILES["shared_memory"])
    sizes = [int(e.text or 0) for e in tree.iter() if _size(e.tag)]
    assert sizes[0] >= 4 * 640 * 480 * 3


def _size(tag: str) -> bool:
    return tag.endswith("}segment_size")


@pytest.mark.parametrize("kind", transport.PROFILES)
@pytest.mark.parametrize(
    ("distro", "name"), [("humble", transport.HUMBLE_VARIABLE), ("jazzy", transport.VARIABLE)]
)
def test_profile_of_this_ros(
    monkeypatch: pytest.MonkeyPatch, distro: str, name: str, kind: str
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distro)
    assert transport.settings(kind) == {name: str(transport.PROFILES[kind])}
    assert transport.PROFILES[kind].is_file()


def test_frames_arrive_from_a_node_begun_by_hand() -> None:
    transport.configure()
    assert os.environ[transport.VARIABLE] == str(transport.PROFILES["shared_memory"])


@pytest.mark.parametrize("name", transport.USER_VARIABLES)
def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "UDPv4")
    transport.configure()
    assert [os.environ[key] for key in transport.USER_VARIABLES if os.environ[key]] == ["UDPv4"]
    assert transport.settings("udp") == {}


@pytest.mark.parametrize("reach", ["LOCALHOST", "SUBNET"])
@pytest.mark.parametrize("kind", transport.PROFILES)
def test_only_shared_memory_receives_by_shared_memory(
    monkeypatch: pytest.MonkeyPatch, kind: str, reach: str
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", reach)
    for name, value in transport.settings(kind).items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-c", NODE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [str(kind == "shared_memory")], done.stderr
