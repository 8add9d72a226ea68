"""The substitutions that this project uses; they exist in Humble, Jazzy and Kilted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.substitution import (
    SomeSubstitutionsType,
    Substitution,
    SubstitutionFailure,
    describe,
    resolve,
)

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = [
    "EnvironmentVariable",
    "LaunchConfiguration",
    "PathJoinSubstitution",
    "PythonExpression",
    "SubstitutionFailure",
    "TextSubstitution",
]


class TextSubstitution(Substitution):
    """A constant text."""

    def __init__(self, *, text: str) -> None:
        self.text = text

    def describe(self) -> str:
        return f"'{self.text}'"

    def perform(self, context: LaunchContext) -> str:
        return self.text


class LaunchConfiguration(Substitution):
    """The value of a launch argument, or of a configuration set in the launch file."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: object = None) -> None:
        self.variable_name = variable_name
        if default is not None and not isinstance(default, str | Substitution):
            items = default if isinstance(default, Iterable) else [default]
            default = [x if isinstance(x, str | Substitution) else str(x) for x in items]
        self.default: SomeSubstitutionsType | None = default

    def describe(self) -> str:
        return f"LaunchConfig({describe(self.variable_name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: there is no such configuration and no default.
        """
        name = resolve(context, self.variable_name)
        if name in context.launch_configurations:
            return str(context.launch_configurations[name])
        if self.default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return resolve(context, self.default)


class EnvironmentVariable(Substitution):
    """The value of an environment variable."""

    def __init__(
        self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None
    ) -> None:
        self.name, self.default_value = name, default_value

    def describe(self) -> str:
        return f"EnvVar({describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: there is no such variable and no default.
        """
        name = resolve(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return resolve(context, self.default_value)


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined with the path separator."""

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        self.substitutions = list(substitutions)

    def describe(self) -> str:
        return f"PathJoin('{describe(self.substitutions)}')"

    def perform(self, context: LaunchContext) -> str:
        return os.path.join(*(resolve(context, part) for part in self.substitutions))


class PythonExpression(Substitution):
    """The value of a Python expression, as text; the names of `math` are defined."""

    def __init__(self, expression: SomeSubstitutionsType) -> None:
        self.expression = expression

    def describe(self) -> str:
        return f"PythonExpr({describe(self.expression)})"

    def perform(self, context: LaunchContext) -> str:
        return str(eval(resolve(context, self.expression), {}, vars(math)))
