"""The executor of every node: one thread, woken by events if rclpy offers that.

Before each callback rclpy's SingleThreadedExecutor asks the middleware about every entity of its
node, which costs more than most of our callbacks do. rclpy's EventsExecutor (Kilted and later) is
notified of what has arrived. It has one limitation: in rclpy 9.1.2 a callback that also takes the
message's info fails now and then ("null argument to internal routine").
"""

from __future__ import annotations

import inspect
from typing import Any

from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.task import Task
from rclpy.utilities import get_default_context


def make() -> Executor:
    """Make the fastest executor that the installed rclpy has."""
    if not hasattr(rclpy_implementation, "EventsExecutor"):
        return SingleThreadedExecutor()
    return _events_executor()


def _events_executor() -> Any:
    class Events(rclpy_implementation.EventsExecutor):
        """Steps coroutines only after an event. rclpy's own executor polls a waiting coroutine.

        This is enough here: every coroutine of this stack awaits something that a callback of the
        same executor brings, never another thread.
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
