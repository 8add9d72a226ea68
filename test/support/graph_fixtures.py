"""Fixtures for tests of nodes and of the whole graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_robot import FakeRobot
from ros_bench import DOMAINS, Bench, Child, opened, until

COST = {"candidates": 16, "particles": 2, "elites": 4, "iterations": 2}
PLANNER: dict[str, Any] = {
    "horizon": 3,
    "delta_safe": 0.05,
    "delta_constraint": 1.0,
    "random_share": 0.3,
    **{
        f"{profile}.{key}": value
        for profile in ("paper", "realtime")
        for key, value in COST.items()
    },
}
"""Small, and feasible whatever an untrained model thinks."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from opened()


@pytest.fixture(scope="module")
def shared_bench() -> Iterator[Bench]:
    """For nodes that the tests of a module share: a start of PyTorch takes seconds."""
    yield from opened()


@pytest.fixture
def robot(bench: Bench) -> FakeRobot:
    return FakeRobot(bench)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model."""
    from random_models import random_bundle

    from ls3_models.bundle import save_bundle

    path = tmp_path_factory.mktemp("model")
    save_bundle(random_bundle(), path, demonstrator_mean_steps=37.0)
    return path


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="session")
def planner_parameters() -> dict[str, Any]:
    return {name.replace(".", "__"): value for name, value in PLANNER.items()}


@pytest.fixture
def domain() -> int:
    """A ROS domain that no other test uses now."""
    return next(DOMAINS)


@pytest.fixture(scope="session")
def child_of() -> Callable[..., Child]:
    return Child


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a command writes; nothing is there yet."""
    return tmp_path / "out"
