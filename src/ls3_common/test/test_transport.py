"""The Fast DDS profiles: well-formed, used where the user has none, and otherwise left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

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

sys.exit(run(Looks, frames=sys.argv[1] == "frames"))
"""


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*transport.THEIRS, transport.ELSEWHERE, "ROS_DISTRO"):
        monkeypatch.setenv(name, "")  # so that it is restored, whatever `configure` does


def elements(name: str, tag: str) -> list[str]:
    tree = ElementTree.parse(transport.DIRECTORY / name)
    return [e.text or "" for e in tree.iter() if e.tag.endswith("}" + tag)]


def test_shared_memory_holds_four_frames() -> None:
    assert [int(size) for size in elements(transport.FRAMES, "segment_size")] == [4 * 2**20]
    assert 4 * 2**20 >= 4 * 640 * 480 * 3


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize(
    ("distro", "name"), [("humble", transport.FORMERLY), ("jazzy", transport.VARIABLE)]
)
def test_profile_is_used(
    monkeypatch: pytest.MonkeyPatch, distro: str, name: str, frames: bool
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distro)
    transport.configure(frames=frames)
    assert Path(os.environ[name]).name == (transport.FRAMES if frames else transport.SMALL)
    assert Path(os.environ[name]).is_file()


@pytest.mark.parametrize("name", transport.THEIRS)
def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "UDPv4")
    transport.configure()
    assert [os.environ[key] for key in transport.THEIRS if os.environ[key]] == ["UDPv4"]


def test_a_drivers_shell_decides_nothing_for_our_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(transport.VARIABLE, f"/opt/share/ls3_common/{transport.FRAMES}")
    transport.configure()
    assert os.environ[transport.VARIABLE] == str(transport.DIRECTORY / transport.SMALL)


def test_profiles_from_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(transport.ELSEWHERE, str(tmp_path))
    transport.configure(frames=True)
    assert os.environ[transport.VARIABLE] == str(tmp_path / transport.FRAMES)


@pytest.mark.parametrize("reach", ["LOCALHOST", "SUBNET"])
@pytest.mark.parametrize("kind", ["frames", "small"])
def test_only_what_has_to_do_with_frames_receives_by_shared_memory(
    monkeypatch: pytest.MonkeyPatch, kind: str, reach: str
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", reach)
    done = subprocess.run(
        [sys.executable, "-c", NODE, kind], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [str(kind == "frames")], done.stderr
