"""The executor of every node: one thread, woken by events where rclpy can.

rclpy's SingleThreadedExecutor asks the middleware about every entity of its node before each
callback, which costs more than most of our callbacks do. Its EventsExecutor (Kilted and later) is
told what has come. It has one limit to know: a callback that also takes the message's info fails in
rclpy 9.1.2 every now and then ("null argument to internal routine").
"""

from __future__ import annotations

import inspect
from typing import Any

from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.task import Task
from rclpy.utilities import get_default_context


def make() -> Executor:
    """The fastest executor that this rclpy has."""
    if not hasattr(rclpy_implementation, "EventsExecutor"):
        return SingleThreadedExecutor()
    return _events_executor()


def _events_executor() -> Any:
    class Events(rclpy_implementation.EventsExecutor):
        """Steps a coroutine only after an event; rclpy's own polls one that waits, all the time.

        What a coroutine of ours awaits is brought by a callback, never by another thread.
        """

        def __init__(self) -> None:
            super().__init__(get_default_context())
            self._coroutines: list[Task] = []

        def create_task(self, callback: Any, *args: Any, **kwargs: Any) -> Any:
            if not inspect.iscoroutinefunction(callback):
                return super().create_task(callback, *args, **kwargs)
            task = Task(callback, args, kwargs, executor=self)
            self._coroutines.append(task)
            self.wake()
            return task

        def spin_once(self, timeout_sec: float | None = None) -> None:
            super().spin_once(timeout_sec)
            for task in list(self._coroutines):
                task()
                if task.done():
                    self._coroutines.remove(task)
                    error = task.exception()
                    if error is not None:
                        raise error

    return Events()
