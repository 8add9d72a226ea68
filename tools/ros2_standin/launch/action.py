"""Base classes of everything that a launch description holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launch.conditions import IfCondition
    from launch.launch_context import LaunchContext


class LaunchDescriptionEntity:
    """Something that can be visited."""

    # known before launching, so that the arguments among them can be listed
    sub_entities_are_conditional = False

    def get_sub_entities(self) -> Sequence[LaunchDescriptionEntity]:
        return []

    def visit(self, context: LaunchContext) -> Any:
        """Carry it out; entities returned are visited next."""
        raise NotImplementedError


class Action(LaunchDescriptionEntity):
    """An entity that may hang on a condition."""

    def __init__(self, *, condition: IfCondition | None = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> Any:
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> Any:
        return None


SomeEntities = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None


def as_entities(entities: SomeEntities) -> list[LaunchDescriptionEntity]:
    """What an action or handler returned, as a list; checked, because users return it."""
    if entities is None:
        return []
    items = [entities] if isinstance(entities, LaunchDescriptionEntity) else list(entities)
    for item in items:
        if not isinstance(item, LaunchDescriptionEntity):
            raise TypeError(f"expected a LaunchDescriptionEntity, got {item!r}")
    return items
