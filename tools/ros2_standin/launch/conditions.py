"""When an action is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.substitution import SomeSubstitutionsType, describe, resolve

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = ["IfCondition", "UnlessCondition"]

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class IfCondition:
    """True when the expression is `true` or `1`, false when `false` or `0`, else an error."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        self.expression = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
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
        return not super().evaluate(context)
