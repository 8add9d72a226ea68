"""A launch description: a list of entities, and the launch arguments found in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from launch.action import Action, LaunchDescriptionEntity, as_entities
from launch.actions import DeclareLaunchArgument

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


# name -> (argument, whether it exists only under a condition)
LaunchArguments = dict[str, tuple[DeclareLaunchArgument, bool]]


class LaunchDescription(LaunchDescriptionEntity):
    """The result of `generate_launch_description()` in a launch file."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self.entities = as_entities(initial_entities)

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.entities.append(entity)

    def add_action(self, action: Action) -> None:
        """Append an action."""
        self.add_entity(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit."""
        return self.entities

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def get_launch_arguments(self) -> LaunchArguments:
        """Return all launch arguments by name, also of included files.

        If several arguments have the same name, the first counts.
        """
        found: LaunchArguments = {}
        for argument, conditional in _arguments(self, False):
            found.setdefault(argument.name, (argument, conditional))
        return found


def _arguments(
    entity: LaunchDescriptionEntity, conditional: bool
) -> Iterator[tuple[DeclareLaunchArgument, bool]]:
    conditional = conditional or getattr(entity, "condition", None) is not None
    if isinstance(entity, DeclareLaunchArgument):
        yield entity, conditional
    for sub in entity.get_sub_entities():
        yield from _arguments(sub, conditional or entity.sub_entities_are_conditional)
