"""arm_node with the dvrk-python API instead of topics of its own: the same behaviour.

With a stand-in of the API always, with the real one where it can be imported.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NODE = "dvrk_cable_env.arm.arm_node"
FAKE_API = Path(__file__).parent / "fake_api"


@pytest.fixture(params=["2.3", "2.4", "real"])
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The API that a process started now will import."""
    version = str(request.param)
    if version == "real":
        if importlib.util.find_spec("dvrk") is None:
            pytest.skip("dvrk_python is not installed")
        monkeypatch.setenv("ROS_VERSION", "2")
        return version
    monkeypatch.setenv("FAKE_DVRK", version)
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE_API), path]))
    return version


@pytest.fixture
def rig(arm: Any, bench: Any, rig_of: Any, patient: dict, api: str) -> Iterator[Any]:
    """An armed arm_node that enabled and homed its arm through the API."""
    arm.become(state="DISABLED", is_homed=False, is_busy=False, duration=0.05)
    arm.commands.clear()
    with bench.start(NODE, auto_enable=True, backend="dvrk", **patient) as child:
        rig = rig_of(child)
        rig.ready()
        assert arm.commands == ["enable", "home"]
        rig.arm.moves.clear()
        yield rig


def test_plans_move_the_arm_by_what_is_reported_as_sent(rig: Any) -> None:
    x, y, z = rig.arm.position
    command = rig.plan(0.01, -0.005)
    assert (command.outcome, command.reason) == ("sent", "")
    assert list(command.sent) == pytest.approx([0.01, -0.005])
    rig.ready()
    assert rig.arm.moves == [pytest.approx((x + 0.01, y - 0.005, z))]
    turned = rig.arm.move.pose.orientation
    assert abs(turned.x) == pytest.approx(1.0), "the orientation is kept"
    assert rig.plan(5.0, 0.0).reason.startswith("a step of 5 m")
    assert len(rig.arm.moves) == 1


def test_its_own_publishers_are_no_other_commander(rig: Any) -> None:
    assert rig.states[-1].ready
    assert rig.plan(0.001, 0.0).outcome == "sent"


def test_a_robot_that_falls_silent_holds_and_latches(rig: Any) -> None:
    rig.arm.duration = 30.0
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.bench.until(lambda: rig.arm.is_busy)
    rig.arm.publishes_poses = False
    rig.bench.until(lambda: not rig.arm.is_busy)
    rig.not_ready("older than 1.5 s")
    rig.rearm()


def test_sigterm_during_a_motion_holds_before_the_process_leaves(rig: Any) -> None:
    rig.arm.duration = 30.0
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.bench.until(lambda: rig.arm.is_busy)
    rig.child.send(signal.SIGTERM)
    assert rig.child.wait(timeout=10.0) == 0
    rig.bench.until(lambda: not rig.arm.is_busy)


@pytest.mark.skipif(importlib.util.find_spec("dvrk") is not None, reason="dvrk_python is there")
def test_without_the_api_it_says_what_to_do(bench: Any) -> None:
    with bench.start(NODE, backend="dvrk") as child:
        assert child.wait() == 2
    assert "needs the Python package" in child.output and "backend: crtk" in child.output
    assert "Traceback" not in child.output
