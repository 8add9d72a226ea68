"""The launch actions that this project's launch files use. Arguments are those of `launch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from launch import logging
from launch.action import Action, LaunchDescriptionEntity, as_entities
from launch.actions.execute_process import ExecuteProcess
from launch.event import Event
from launch.event_handlers import EventHandler
from launch.events import Shutdown as ShutdownEvent
from launch.events.process import ProcessExited
from launch.substitution import SomeSubstitutionsType, resolve

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

__all__ = [
    "DeclareLaunchArgument",
    "EmitEvent",
    "ExecuteProcess",
    "GroupAction",
    "IncludeLaunchDescription",
    "LogInfo",
    "OpaqueFunction",
    "RegisterEventHandler",
    "SetEnvironmentVariable",
    "SetLaunchConfiguration",
    "Shutdown",
]


class DeclareLaunchArgument(Action):
    """A launch argument `name:=value`, required if it has no default."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(default_value, str) and choices is not None and default_value not in choices:
            raise RuntimeError(
                f'Provided default_value "{default_value}" is not in provided choices "{choices}".'
            )
        self.name, self.default_value, self.choices = name, default_value, choices
        self.description = description or "no description given"
        if choices is not None and description is None:
            self.description = f"One of: {choices}"
        elif choices is not None:
            self.description = f"{self.description.removesuffix('.')}. Valid choices are: {choices}"

    def execute(self, context: LaunchContext) -> None:
        """Set the default if no value was given, and check the value against the choices."""
        configurations = context.launch_configurations
        if self.name not in configurations:
            if self.default_value is None:
                raise RuntimeError(
                    f'Required launch argument "{self.name}" was not provided ({self.description})'
                )
            configurations[self.name] = resolve(context, self.default_value)
        if self.choices is not None and configurations[self.name] not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{configurations[self.name]}" '
                f"is not valid. Valid options are: {self.choices}"
            )


class SetLaunchConfiguration(Action):
    """Sets the value that a LaunchConfiguration of this name reads."""

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set the configuration in the present scope."""
        context.launch_configurations[resolve(context, self.name)] = resolve(context, self.value)


class SetEnvironmentVariable(SetLaunchConfiguration):
    """Sets an environment variable for the processes that start after it in the same scope."""

    def execute(self, context: LaunchContext) -> None:
        """Set the variable in the present scope."""
        context.environment[resolve(context, self.name)] = resolve(context, self.value)


class LogInfo(Action):
    """Prints a line on the screen and in the log."""

    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.msg = msg

    def execute(self, context: LaunchContext) -> None:
        """Print the line."""
        logging.get_logger("launch.user").info(resolve(context, self.msg))


class OpaqueFunction(Action):
    """Calls `function(context, *args, **kwargs)`, which may return entities to visit next."""

    def __init__(
        self,
        *,
        function: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
        **left_over: Any,
    ) -> None:
        super().__init__(**left_over)
        self.function, self.args, self.kwargs = function, list(args), kwargs or {}

    def execute(self, context: LaunchContext) -> Any:
        """Call the function and return what it returns."""
        return self.function(context, *self.args, **self.kwargs)


class GroupAction(Action):
    """A group of actions; what they set is undone after them, unless `scoped` is False."""

    def __init__(
        self, actions: Iterable[LaunchDescriptionEntity], *, scoped: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.actions, self.scoped = as_entities(actions), scoped

    def get_sub_entities(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the actions of the group."""
        return self.actions

    def execute(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity]:
        """Return the actions, between the begin and the end of a scope."""
        if not self.scoped:
            return self.actions
        context.push_scope()
        return [*self.actions, OpaqueFunction(function=lambda context: context.pop_scope())]


class IncludeLaunchDescription(Action):
    """Includes another launch file; its arguments are set in this scope, as in the real launch."""

    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[Any, SomeSubstitutionsType]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not hasattr(launch_description_source, "get_launch_description"):
            raise TypeError(
                "IncludeLaunchDescription takes a PythonLaunchDescriptionSource here and in "
                f"ROS 2 Humble, not {launch_description_source!r}"
            )
        self.source, self.launch_arguments = launch_description_source, list(launch_arguments)

    def get_sub_entities(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the included description if its path is known before launching."""
        found = self.source.try_get_launch_description_without_context()
        return [] if found is None else [found]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the included description, after actions that set its arguments."""
        settings = [SetLaunchConfiguration(name, value) for name, value in self.launch_arguments]
        return [*settings, self.source.get_launch_description(context)]


class EmitEvent(Action):
    """Emits an event to the event handlers, e.g. `launch.events.Shutdown`."""

    def __init__(self, *, event: Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        """Emit the event."""
        context.emit_event_sync(self.event)


class Shutdown(EmitEvent):
    """Stops everything that the launch started, and the launch."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        super().__init__(event=ShutdownEvent(reason=reason), **kwargs)

    def execute(self, context: LaunchContext) -> None:
        """Emit the event, after a notice if the end of a process is the cause."""
        event = getattr(context.locals, "event", None)
        if isinstance(event, ProcessExited):
            logging.get_logger().info(
                f"process[{event.process_name}] was required: shutting down launched system"
            )
        super().execute(context)


class RegisterEventHandler(Action):
    """Registers an event handler, which reacts to events from then on."""

    sub_entities_are_conditional = True

    def __init__(self, event_handler: EventHandler, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def get_sub_entities(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the handler's entities, which are visited only if the event occurs."""
        return self.event_handler.get_sub_entities()

    def execute(self, context: LaunchContext) -> None:
        """Register the handler."""
        context.register_event_handler(self.event_handler)
