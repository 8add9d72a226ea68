"""Parameters of nodes: files, typed values, and the conversion of Python values."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from launch.substitution import SomeSubstitutionsType, Substitution, resolve

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = ["ParameterFile", "ParameterValue"]

_SCALARS = (bool, int, float, str)


class ParameterFile:
    """The path of a YAML parameter file, which the node reads unchanged."""

    def __init__(self, param_file: SomeSubstitutionsType | Path) -> None:
        self.param_file = param_file

    def evaluate(self, context: LaunchContext) -> Path:
        """Return the path."""
        path = self.param_file
        return path if isinstance(path, Path) else Path(resolve(context, path))


class ParameterValue:
    """A value with a given type, e.g. a string that looks like a number."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value, self.value_type = value, value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value.

        Raises:
            TypeError, ValueError: the value is not of the type.
        """
        kind, value = self.value_type, self.value
        if _is_substitution(value):
            value = resolve(context, value)
            if kind in (str, int, float):
                return kind(value)
            if kind is bool:
                value = {"1": "true", "0": "false"}.get(value, value)
            value = _load(value, "of this ParameterValue")
        element = typing.get_args(kind)[0] if typing.get_origin(kind) is list else None
        if element is not None:
            fits = isinstance(value, list) and all(isinstance(item, element) for item in value)
        else:
            fits = isinstance(value, kind or (*_SCALARS, list))
        if not fits:
            raise ValueError(f"Cannot convert value '{value}' to '{kind}'")
        return value


def evaluate_dict(
    context: LaunchContext, parameters: Mapping[Any, Any], prefix: str = ""
) -> dict[str, Any]:
    """Convert parameters to ``{dotted name: value}``; computed texts are read as YAML.

    Raises:
        TypeError: a value is not a bool, int, float, str or a list of one of them.
    """
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = prefix + resolve(context, key)
        if isinstance(value, Mapping):
            flat.update(evaluate_dict(context, value, f"{name}."))
        elif isinstance(value, ParameterValue):
            flat[name] = value.evaluate(context)
        elif _is_substitution(value):
            flat[name] = _uniform(_load(resolve(context, value), name), name)
        elif isinstance(value, list | tuple):
            items = [
                item if isinstance(item, _SCALARS) else _load(resolve(context, item), name)
                for item in value
            ]
            flat[name] = _uniform(items, name)
        else:
            flat[name] = _uniform(value, name)
    return flat


def _is_substitution(value: Any) -> bool:
    """Whether a value is a substitution, or a sequence of texts with at least one substitution."""
    if isinstance(value, list | tuple):
        return any(isinstance(item, Substitution) for item in value) and all(
            isinstance(item, str | Substitution) for item in value
        )
    return isinstance(value, Substitution)


def _load(text: str, name: str) -> Any:
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        raise TypeError(
            f"Unable to parse the value of parameter {name} as yaml. If the parameter is meant "
            "to be a string, try wrapping it in ParameterValue(value, value_type=str)"
        ) from None


def _uniform(value: Any, name: str) -> Any:
    """A scalar, or a list of one type; integers beside floats become floats."""
    if isinstance(value, _SCALARS):
        return value
    kinds = {type(item) for item in value} if isinstance(value, list) else set()
    if kinds == {int, float}:
        return [float(item) for item in value]
    if len(kinds) == 1 and kinds <= set(_SCALARS):
        return value
    raise TypeError(
        "Expected a bool, int, float, str or a non-empty list of one of them, got "
        f"{value!r} for '{name}'. If it is meant to be a string, try wrapping it in "
        "ParameterValue(value, value_type=str)"
    )
