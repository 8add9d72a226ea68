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
    """What entities see while they are visited."""

    def __init__(self, *, argv: Iterable[str] = ()) -> None:
        self.argv = list(argv)
        self.launch_configurations: dict[str, Any] = {}  # texts, and lists of launch_ros
        self.locals = SimpleNamespace()  # `event`, while one is handled
        self.is_shutdown = False
        self.guardian: Guardian | None = None
        self.event_handlers: deque[EventHandler] = deque()
        self.pending: set[asyncio.Task[None]] = set()
        # events to dispatch, ended work, and entities to visit
        self.queue: asyncio.Queue[Event | asyncio.Task[None] | list[Any]] = asyncio.Queue()
        self._scopes: list[tuple[dict[str, Any], dict[str, str]]] = []

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment that processes get: this process's own, as in the real launch."""
        return os.environ

    def push_scope(self) -> None:
        """Remember configurations and environment, for `pop_scope`."""
        self._scopes.append((dict(self.launch_configurations), dict(os.environ)))

    def pop_scope(self) -> None:
        self.launch_configurations, environment = self._scopes.pop()
        os.environ.clear()
        os.environ.update(environment)

    def register_event_handler(self, handler: EventHandler) -> None:
        """The handler registered last is asked first, as in the real launch."""
        self.event_handlers.appendleft(handler)

    def emit_event_sync(self, event: Event) -> None:
        self.queue.put_nowait(event)

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that the launch waits for; the service is told through the queue when it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self.pending.add(task)
        task.add_done_callback(self.queue.put_nowait)
