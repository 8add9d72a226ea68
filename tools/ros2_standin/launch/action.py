"""Base classes of everything that a launch description contains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launch.conditions import IfCondition
    from launch.launch_context import LaunchContext


class LaunchDescriptionEntity:
    """An entity of a launch description, which a launch visits."""

    # whether sub-entities exist only under a condition; `--show-args` marks their arguments
    sub_entities_are_conditional = False

    def get_sub_entities(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the entities inside this one that are known before launching."""
        return []

    def visit(self, context: LaunchContext) -> Any:
        """Carry out the entity; the entities that it returns are visited next."""
        raise NotImplementedError


class Action(LaunchDescriptionEntity):
    """An entity with an optional condition."""

    def __init__(self, *, condition: IfCondition | None = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> Any:
        """Execute the action if its condition is true."""
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> Any:
        """Carry out the action; may return entities to visit next."""
        return None


SomeEntities = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None


def as_entities(entities: SomeEntities) -> list[LaunchDescriptionEntity]:
    """Make a list of what an action or handler returned.

    Raises:
        TypeError: something in it is not an entity.
    """
    if entities is None:
        return []
    items = [entities] if isinstance(entities, LaunchDescriptionEntity) else list(entities)
    for item in items:
        if not isinstance(item, LaunchDescriptionEntity):
            raise TypeError(f"expected a LaunchDescriptionEntity, got {item!r}")
    return items
