"""The Fast DDS profile: well-formed, used where the user has none, and otherwise left alone."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree

import pytest

from ls3_common import transport


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*transport.THEIRS, "ROS_DISTRO"):
        monkeypatch.setenv(name, "")  # so that it is restored, whatever `configure` does


def test_shared_memory_holds_four_frames() -> None:
    sizes = [int(e.text or 0) for e in ElementTree.parse(transport.PROFILE).iter() if _size(e.tag)]
    assert sizes[0] >= 4 * 640 * 480 * 3


def _size(tag: str) -> bool:
    return tag.endswith("}segment_size")


@pytest.mark.parametrize(
    ("distro", "name"), [("humble", transport.FORMERLY), ("jazzy", transport.VARIABLE)]
)
def test_profile_is_used(monkeypatch: pytest.MonkeyPatch, distro: str, name: str) -> None:
    monkeypatch.setenv("ROS_DISTRO", distro)
    transport.configure()
    assert os.environ[name] == str(transport.PROFILE)


@pytest.mark.parametrize("name", transport.THEIRS)
def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "UDPv4")
    transport.configure()
    assert [os.environ[key] for key in transport.THEIRS if os.environ[key]] == ["UDPv4"]
