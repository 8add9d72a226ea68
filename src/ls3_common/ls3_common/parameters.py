"""Frozen dataclasses as the one description of parameters, for YAML, command line and ROS.

`parameter` declares a field together with its description, unit and limits. `build` checks every
value once. `parameter_files` reads the values from YAML.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ls3_common.errors import ConfigError

Config = TypeVar("Config")
REQUIRED = dataclasses.MISSING


def parameter(
    default: Any = REQUIRED,
    *,
    description: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Any] = (),
    domain: str = "",
    may_be_less: bool = False,
    is_path: bool = False,
    default_factory: Any = REQUIRED,
) -> Any:
    """Declare a field of a configuration dataclass; without a default the user must set it.

    Args:
        default: the value if no file sets the parameter.
        description: what the parameter is.
        unit: the unit of the value, SI where possible.
        low: the least value allowed, of each element of a list.
        high: the greatest value allowed, of each element of a list.
        choices: the values allowed; empty: all.
        domain: the name of the fact of the domain that gives this parameter its value
            (`ls3_common.domain`).
        may_be_less: whether a file may set the parameter to less than that fact.
        is_path: whether the text names a file or a directory, where ``~`` is the home directory.
            No shell replaces a tilde in a YAML file or after ``:=``.
        default_factory: makes the default when the default is needed.
    """
    metadata = {
        "description": f"{description} [{unit}]" if unit else description,
        "low": low,
        "high": high,
        "choices": tuple(choices),
        "domain": domain,
        "may_be_less": may_be_less,
        "is_path": is_path,
    }
    return dataclasses.field(
        default=default, default_factory=default_factory, metadata=metadata, kw_only=True
    )


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One scalar or array parameter: dotted name, type, default (or REQUIRED) and limits."""

    name: str
    type: Any
    default: Any
    description: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    domain: str = ""
    may_be_less: bool = False
    is_path: bool = False


def leaves(cls: type, prefix: str = "") -> list[Leaf]:
    """List all parameters of a configuration class; nested dataclasses become dotted names."""
    hints = typing.get_type_hints(cls)
    found: list[Leaf] = []
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        name = prefix + field.name
        if dataclasses.is_dataclass(kind):
            found += leaves(typing.cast(type, kind), f"{name}.")
            continue
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found.append(Leaf(name, kind, default, **dict(field.metadata)))
    return found


def defaults(cls: type) -> dict[str, Any]:
    """Return ``{dotted name: default}`` of a configuration class, REQUIRED if there is no default.

    Tuples become lists, as in `to_dict`.
    """
    return {leaf.name: _plain(leaf.default) for leaf in leaves(cls)}


def build(cls: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Make a validated `cls` from nested or dotted `values`.

    Args:
        cls: the configuration class.
        values: the parameters that are set; the others get their defaults.
        where: the origin of `values`, such as a file, for the error text.

    Raises:
        ConfigError: a key is unknown or missing, or a value has a wrong type or is out of range.
            The text names the key, its origin and what is allowed.
    """
    flat = flatten(values)
    refuse_unknown(cls, flat, where)
    known = {leaf.name: leaf for leaf in leaves(cls)}
    checked: dict[str, Any] = {}
    for name, leaf in known.items():
        if name in flat:
            checked[name] = check(leaf, flat[name], where)
        elif leaf.default is REQUIRED:
            fact = f"; by a parameter file: domain.{leaf.domain} under /**" if leaf.domain else ""
            raise ConfigError(f"missing key '{name}'", where=where, do=leaf.description + fact)
        else:
            checked[name] = leaf.default
    return _assemble(cls, checked, "", where)


def refuse_unknown(cls: type, names: Iterable[str], where: str) -> None:
    """Refuse dotted names that a configuration class does not have.

    Raises:
        ConfigError: a name is unknown; the text names it, its origin and what was perhaps meant.
    """
    known = {leaf.name for leaf in leaves(cls)}
    for key in names:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            do = (
                f"did you mean '{close[0]}'?"
                if close
                else f"valid keys: {', '.join(sorted(known))}"
            )
            raise ConfigError(f"unknown key '{key}'", where=where, do=do)


def check(leaf: Leaf, value: Any, where: str) -> Any:
    """Return `value` converted to the leaf's type.

    Raises:
        ConfigError: the type is wrong, or the value is out of range or not finite.
    """
    converted = _convert(leaf.type, value)
    if converted is None:
        raise ConfigError(
            f"'{leaf.name}' must be {_type_name(leaf.type)}, not {reprlib.repr(value)}",
            where=where,
            do=leaf.description,
        )
    for element in converted if isinstance(converted, tuple) else (converted,):
        if leaf.choices and element not in leaf.choices:
            valid = ", ".join(map(str, leaf.choices))
            raise ConfigError(
                f"'{leaf.name}' is {element!r}", where=where, do=f"valid values: {valid}"
            )
        if isinstance(element, float) and not math.isfinite(element):
            raise ConfigError(f"'{leaf.name}' is {element}", where=where, do="give a finite number")
        if (leaf.low is not None and element < leaf.low) or (
            leaf.high is not None and element > leaf.high
        ):
            raise ConfigError(
                f"'{leaf.name}' is {element}, outside {_range_text(leaf)}",
                where=where,
                do=leaf.description,
            )
    return os.path.expanduser(converted) if leaf.is_path else converted


def to_dict(config: Any) -> dict[str, Any]:
    """Return ``{dotted name: value}`` of a configuration; tuples become lists, for JSON and ROS."""
    return {key: _plain(value) for key, value in flatten(dataclasses.asdict(config)).items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one mapping with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _assemble(cls: type[Config], flat: Mapping[str, Any], prefix: str, where: str) -> Config:
    hints = typing.get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            nested = f"{prefix}{field.name}."
            arguments[field.name] = _assemble(typing.cast(type, kind), flat, nested, where)
        else:
            arguments[field.name] = flat[prefix + field.name]
    try:
        return cls(**arguments)
    except ValueError as error:  # from __post_init__, for values that contradict each other
        raise ConfigError(str(error), where=where) from None


def _convert(kind: Any, value: Any) -> Any:
    """Return `value` as `kind`, or None if the type is wrong. An integer may serve as a float."""
    if typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        if isinstance(value, str) or not isinstance(value, Sequence):
            return None
        items = tuple(_convert(element, item) for item in value)
        return None if any(item is None for item in items) else items
    if isinstance(kind, types.UnionType):
        raise TypeError("a parameter has one type")
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf  # `check` refuses it
    if kind is int and isinstance(value, bool):
        return None
    return value if isinstance(value, kind) else None


def element_type(kind: Any) -> tuple[Any, bool]:
    """Return the type of a parameter's elements, and whether the parameter is a list of them."""
    if typing.get_origin(kind) is tuple:
        return typing.get_args(kind)[0], True
    return kind, False


def _type_name(kind: Any) -> str:
    element, many = element_type(kind)
    if many:
        return f"a list of {element.__name__}"
    return {"int": "an integer", "float": "a number", "str": "a text", "bool": "true or false"}[
        kind.__name__
    ]


def _range_text(leaf: Leaf) -> str:
    low = "-inf" if leaf.low is None else f"{leaf.low:g}"
    high = "inf" if leaf.high is None else f"{leaf.high:g}"
    return f"[{low}, {high}]"
