"""The dVRK's own Python client, unmodified, against sim_node.

It is on no package index: in a robot's workspace it is sourced; elsewhere put the folders of the
packages `crtk` and `dvrk` (crtk_python_client/src, dvrk_python/src) and of PyKDL on PYTHONPATH.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

MISSING = [name for name in ("PyKDL", "crtk", "dvrk") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"the dVRK's client is not installed: no {', '.join(MISSING)}"
)


@pytest.fixture(scope="module")
def seen(bench):
    with bench.start("ls3_sim.sim_node", real_time_factor=2.0):
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("dvrk_client.py"))],
            env=bench.environment(ROS_VERSION="2"),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_connects_enables_and_homes(seen):
    assert seen["enabled"] and seen["homed"]
    assert seen["stamp"] > 0
    assert seen["start"] == pytest.approx([-0.09, 0.005, -0.12], abs=1e-3)


def test_every_move_is_seen_to_begin_and_end(seen):
    assert all(seen["moves"])
    assert seen["moved"] == pytest.approx([-0.08, 0.039, -0.12], abs=1e-6)
    assert seen["move_jp"]
    assert seen["move_jp gap"] < 1e-6


def test_kinematics(seen):
    assert seen["fk result"]
    assert seen["fk gap"] < 1e-6
    assert seen["ik gap"] < 1e-6
    assert seen["jacobian"] == [6, 6]


def test_the_jaw(seen):
    assert seen["open"] == [True, pytest.approx(1.0472, abs=1e-3)]
    assert seen["close"] == [True, pytest.approx(-0.3491, abs=1e-3)]


def test_hold_pause_and_resume(seen):
    assert seen["busy"] and seen["held"]
    assert 0.029 < seen["held at"][1] < 0.12
    assert seen["paused"]
    assert not seen["moved while paused"]
    assert seen["resumed"] and seen["move after"]


def test_a_tracking_error_is_seen_as_a_fault_and_cleared(seen):
    assert seen["fault"]
    assert seen["enabled after"]
    assert seen["disabled"]
