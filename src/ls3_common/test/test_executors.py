"""The executor of every node: coroutines go on after a callback and cost nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.task import Future

from ls3_common import executors


@pytest.fixture
def spinning() -> Iterator[tuple[Node, Any]]:
    rclpy.init()
    node, executor = Node("probe"), executors.make()
    executor.add_node(node)
    yield node, executor
    executor.remove_node(node)
    node.destroy_node()
    executor.shutdown()
    rclpy.try_shutdown()


def spin(executor: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)


def test_a_coroutine_goes_on_once_a_callback_has_brought_what_it_awaits(spinning: Any) -> None:
    node, executor = spinning
    brought = Future()
    steps: list[Any] = []

    async def routine() -> str:
        steps.append("began")
        steps.append(await brought)
        return "done"

    task = executor.create_task(routine)
    spin(executor, 0.2)
    assert steps == ["began"]
    timer = node.create_timer(0.01, lambda: brought.set_result("news"))
    executor.spin_once(timeout_sec=5.0)
    timer.cancel()
    spin(executor, 0.2)
    assert steps == ["began", "news"]
    assert task.result() == "done"


def test_a_coroutine_that_waits_costs_no_processor_time(spinning: Any) -> None:
    _, executor = spinning

    async def routine() -> None:
        await Future()

    executor.create_task(routine)
    spin(executor, 0.2)
    before = time.process_time()
    spin(executor, 1.0)
    assert time.process_time() - before < 0.3  # one that is polled takes all of it


def test_what_a_coroutine_raises_ends_the_spinning(spinning: Any) -> None:
    _, executor = spinning

    async def routine() -> None:
        raise ZeroDivisionError("a defect")

    executor.create_task(routine)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        spin(executor, 5.0)
