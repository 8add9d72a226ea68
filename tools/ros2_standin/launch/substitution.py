"""Texts that are known only when launching, and how several of them are joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class Substitution:
    """A text to be computed from the launch context."""

    def perform(self, context: LaunchContext) -> str:
        raise NotImplementedError

    def describe(self) -> str:
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
    """A text, a substitution or a sequence of both, as one text."""
    return "".join(p if isinstance(p, str) else p.perform(context) for p in _parts(value))


def describe(value: SomeSubstitutionsType) -> str:
    """How `ros2 launch --show-args` prints a default."""
    return " + ".join(f"'{p}'" if isinstance(p, str) else p.describe() for p in _parts(value))
