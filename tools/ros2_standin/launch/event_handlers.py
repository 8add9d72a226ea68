"""Event handlers: reactions to what happens during a launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch.action import LaunchDescriptionEntity, SomeEntities, as_entities
from launch.event import Event
from launch.events import Shutdown
from launch.events.process import ProcessExited

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess
    from launch.launch_context import LaunchContext

__all__ = ["OnProcessExit", "OnShutdown"]

# entities, or a function of (event, context) that returns entities
Reaction = SomeEntities | Callable[[Any, Any], SomeEntities]


class EventHandler:
    """Reacts to events of one class with entities, or with a function that returns entities."""

    event_class: type[Event]

    def __init__(self, reaction: Reaction) -> None:
        self._reaction = reaction if callable(reaction) else as_entities(reaction)

    def matches(self, event: Event) -> bool:
        """Whether this handler reacts to the event."""
        return isinstance(event, self.event_class)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit because of the event."""
        if callable(self._reaction):
            return as_entities(self._reaction(event, context))
        return self._reaction

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities that are known before launching."""
        return [] if callable(self._reaction) else self._reaction


class OnProcessExit(EventHandler):
    """Reacts to the end of one process, or of any process."""

    event_class = ProcessExited

    def __init__(self, *, target_action: ExecuteProcess | None = None, on_exit: Reaction) -> None:
        super().__init__(on_exit)
        self._target = target_action

    def matches(self, event: Event) -> bool:
        """Whether the event is the end of the target process."""
        return isinstance(event, ProcessExited) and self._target in (None, event.action)


class OnShutdown(EventHandler):
    """Reacts to the end of the launch."""

    event_class = Shutdown

    def __init__(self, *, on_shutdown: Reaction) -> None:
        super().__init__(on_shutdown)
