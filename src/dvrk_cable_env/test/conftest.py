"""Fixtures for nodes that run as processes, beside a robot that the test plays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ros_bench import Bench, opened

sys.path.insert(0, str(Path(__file__).parent))  # arm_rig, crtk_rig, lenses, preflight_findings

from crtk_rig import PATIENT, FakeCrtkArm, Rig


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    yield from opened()


@pytest.fixture(scope="module")
def arm(bench: Bench) -> FakeCrtkArm:
    return FakeCrtkArm(bench)


@pytest.fixture
def rig_of(arm: FakeCrtkArm) -> Callable[..., Rig]:
    """Makes the Rig of an arm_node that a test started itself."""
    return lambda child: Rig(arm, child)


@pytest.fixture(scope="module")
def running(bench: Bench, arm: FakeCrtkArm) -> Iterator[Rig]:
    """One arm_node that the tests of a module share."""
    with bench.start("dvrk_cable_env.arm.arm_node", auto_enable=True, **PATIENT) as child:
        rig = Rig(arm, child)
        rig.ready()
        assert arm.commands == ["enable", "home"]
        yield rig


@pytest.fixture
def rig(running: Rig) -> Iterator[Rig]:
    """The shared arm_node, armed; the arm is where the last test left it."""
    running.rearm()
    yield running
    assert running.child.runs, "arm_node died"


@pytest.fixture(scope="session")
def patient() -> dict[str, float]:
    return PATIENT
