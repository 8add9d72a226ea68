"""A list of entities, and the arguments found in them."""

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
    """What `generate_launch_description()` returns."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self.entities = as_entities(initial_entities)

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        self.entities.append(entity)

    def add_action(self, action: Action) -> None:
        self.add_entity(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        return self.entities

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.entities

    def get_launch_arguments(self) -> LaunchArguments:
        """Those of included files too; of several with one name the first counts."""
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
