"""Substitutions: texts that are known only during the launch, and how they are joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class Substitution:
    """A text that is computed from the launch context."""

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return how `ros2 launch --show-args` shows the substitution."""
        return type(self).__name__


class SubstitutionFailure(RuntimeError):
    """A substitution has no value."""


SomeSubstitutionsType = str | Substitution | Iterable[str | Substitution]


def _parts(value: SomeSubstitutionsType) -> list[str | Substitution]:
    parts = [value] if isinstance(value, str | Substitution) else list(value)
    for part in parts:
        if not isinstance(part, str | Substitution):
            raise TypeError(f"expected a text or a substitution, got {part!r}")
    return parts


def resolve(context: LaunchContext, value: SomeSubstitutionsType) -> str:
    """Return a text, a substitution or a sequence of both as one text."""
    return "".join(p if isinstance(p, str) else p.perform(context) for p in _parts(value))


def describe(value: SomeSubstitutionsType) -> str:
    """Return how `ros2 launch --show-args` shows a default value."""
    return " + ".join(f"'{p}'" if isinstance(p, str) else p.describe() for p in _parts(value))
