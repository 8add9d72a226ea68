"""The state of one launch: configurations, environment, events and pending work."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Coroutine, Iterable, MutableMapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from launch.event import Event

if TYPE_CHECKING:
    from launch._guardian import Guardian
    from launch.event_handlers import EventHandler


class LaunchContext:
    """The state that entities use while they are visited.

    argv: arguments of the launch. launch_configurations: values by name. locals: has `event` while
    an event is handled. is_shutdown: whether the launch is ending.
    """

    def __init__(self, *, argv: Iterable[str] = ()) -> None:
        self.argv = list(argv)
        self.launch_configurations: dict[str, Any] = {}  # texts, and lists that launch_ros keeps
        self.locals = SimpleNamespace()
        self.is_shutdown = False
        self.guardian: Guardian | None = None
        self.event_handlers: deque[EventHandler] = deque()
        self.pending: set[asyncio.Task[None]] = set()
        # events to dispatch, tasks that have ended, entities to visit
        self.queue: asyncio.Queue[Event | asyncio.Task[None] | list[Any]] = asyncio.Queue()
        self._scopes: list[tuple[dict[str, Any], dict[str, str]]] = []

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment of new processes: this process's own, as in the real launch."""
        return os.environ

    def push_scope(self) -> None:
        """Save configurations and environment until `pop_scope`."""
        self._scopes.append((dict(self.launch_configurations), dict(os.environ)))

    def pop_scope(self) -> None:
        """Restore configurations and environment of the last `push_scope`."""
        self.launch_configurations, environment = self._scopes.pop()
        os.environ.clear()
        os.environ.update(environment)

    def register_event_handler(self, handler: EventHandler) -> None:
        """Register a handler; the last registered handler is asked first, as in the real launch."""
        self.event_handlers.appendleft(handler)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event for the handlers."""
        self.queue.put_nowait(event)

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Start work that the launch waits for; its end is reported through the queue."""
        task = asyncio.get_running_loop().create_task(work)
        self.pending.add(task)
        task.add_done_callback(self.queue.put_nowait)
