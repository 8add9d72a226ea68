"""Environments for the tests, and clients of a running sim_node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import pytest
from ros_bench import Bench, opened

import ls3_sim  # noqa: F401 (registers the environments)
from ls3_sim.cable_env import CableEnv

sys.path.insert(0, str(Path(__file__).parent))  # crtk_client, sim_listener

if TYPE_CHECKING:
    from crtk_client import CrtkClient
    from sim_listener import SimListener


@pytest.fixture(scope="session")
def env() -> Iterator[CableEnv]:
    """One environment for all tests: making its renderer is what takes long."""
    made = gymnasium.make("LS3/CableRouting-v0")
    yield made.unwrapped
    made.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    yield from opened()


@pytest.fixture(scope="module")
def listener(bench: Bench) -> SimListener:
    from sim_listener import SimListener

    return SimListener(bench)


@pytest.fixture(scope="module")
def client(bench: Bench, listener: SimListener) -> Iterator[CrtkClient]:
    """A client of the arm of a sim_node, four times as fast as the wall, as it starts."""
    from crtk_client import CrtkClient

    with bench.start("ls3_sim.sim_node", real_time_factor=4.0) as child:
        made = CrtkClient(listener)
        listener.matched()
        made.matched()
        yield made
        assert child.runs, "sim_node died"


@pytest.fixture
def psm(client: CrtkClient) -> CrtkClient:
    """The client of an arm that is enabled, homed and at its start."""
    client.sim.until(lambda: not client.sim.states[-1].is_busy)
    if client.sim.states[-1].state == "PAUSED":
        client.command("resume")
    client.command("enable")
    client.command("home")
    client.sim.until(lambda: client.states[-1] == ("ENABLED", True, False))
    assert client.sim.reset().ok
    client.sim.wait(0.1)
    return client
