"""Conditions of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.substitution import SomeSubstitutionsType, describe, resolve

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = ["IfCondition", "UnlessCondition"]

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class IfCondition:
    """True for `true` or `1`, false for `false` or `0`, in any case."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        self.expression = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        """Return the value of the expression.

        Raises:
            ValueError: the expression has another value.
        """
        text = resolve(context, self.expression).strip().lower()
        if text not in _TRUTH:
            raise ValueError(
                f"invalid condition expression, expected one of [{', '.join(_TRUTH)}] but got "
                f"'{text}', expanded from {describe(self.expression)}"
            )
        return _TRUTH[text]


class UnlessCondition(IfCondition):
    """The opposite of IfCondition."""

    def evaluate(self, context: LaunchContext) -> bool:
        """Return the opposite of the expression's value."""
        return not super().evaluate(context)
