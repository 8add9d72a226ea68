"""Frozen dataclasses as the one description of parameters, for YAML, command line and ROS.

A field is made with `parameter`: its description, unit and limits stand beside it, and
`build` checks every value once. Files have the ROS 2 parameter form, so that a node reads
them with ``--params-file`` and a script with `read_section`::

    /**/planner_node:
      ros__parameters:
        horizon: 5
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

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
) -> Any:
    """Declare a field of a configuration dataclass; without `default` a file must give it."""
    metadata = {
        "description": f"{description} [{unit}]" if unit else description,
        "low": low,
        "high": high,
        "choices": tuple(choices),
    }
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


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


def leaves(cls: type, prefix: str = "") -> list[Leaf]:
    """All parameters of a configuration class; nested dataclasses become dotted names."""
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
    """Flat ``{dotted name: default}`` of a configuration class, REQUIRED where there is none.

    With lists for tuples, as in `to_dict`.
    """
    return {leaf.name: _plain(leaf.default) for leaf in leaves(cls)}


def build(cls: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Make a validated `cls` from nested or dotted `values`.

    Raises:
        ConfigError: an unknown or missing key, a wrong type or a value out of range; the
            text names the key, `where` it stands and what is allowed.
    """
    flat = _flatten(values)
    known = {leaf.name: leaf for leaf in leaves(cls)}
    for key in flat:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            do = (
                f"did you mean '{close[0]}'?"
                if close
                else f"valid keys: {', '.join(sorted(known))}"
            )
            raise ConfigError(f"unknown key '{key}'", where=where, do=do)
    checked: dict[str, Any] = {}
    for name, leaf in known.items():
        if name in flat:
            checked[name] = check(leaf, flat[name], where)
        elif leaf.default is REQUIRED:
            raise ConfigError(f"missing key '{name}'", where=where, do=leaf.description)
        else:
            checked[name] = leaf.default
    return _assemble(cls, checked, "", where)


def check(leaf: Leaf, value: Any, where: str) -> Any:
    """Return `value` converted to the leaf's type, or raise ConfigError."""
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
    return converted


def read_section(path: str | Path, section: str) -> dict[str, Any]:
    """Parameters of one section of a ROS parameter file, those of ``/**`` included.

    Raises:
        ConfigError: the file is missing, is not YAML, or has no such section.
    """
    path = Path(path)
    try:
        document = _load_yaml(path.read_text())
    except FileNotFoundError:
        near = sorted(other.name for other in path.parent.glob("*.yaml"))
        raise ConfigError(
            "no such file", where=str(path), do=f"files there: {', '.join(near) or 'none'}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not isinstance(document, dict):
        raise ConfigError(
            "not a ROS parameter file", where=str(path), do="see config/ for examples"
        )
    merged: dict[str, Any] = {}
    present = False
    for key, body in document.items():
        if key != "/**" and str(key).rsplit("/", 1)[-1] != section:
            continue
        present = present or key != "/**"
        values = body.get("ros__parameters") if isinstance(body, dict) else None
        if not isinstance(values, dict):
            raise ConfigError(f"section '{key}' has no ros__parameters", where=str(path))
        merged.update(_flatten(values))
    if not present:
        names = ", ".join(str(key).rsplit("/", 1)[-1] for key in document)
        raise ConfigError(f"no section '{section}'", where=str(path), do=f"sections: {names}")
    return merged


def parse_overrides(assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Turn ``["planner_node.horizon=3"]`` into ``{"planner_node": {"horizon": 3}}``."""
    parsed: dict[str, dict[str, Any]] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        section, dot, name = key.partition(".")
        if not (equals and dot and section and name):
            raise ConfigError(f"'{text}' is no override", do="write SECTION.KEY=VALUE")
        try:
            parsed.setdefault(section, {})[name] = _load_yaml(value)
        except yaml.YAMLError:
            raise ConfigError(
                f"'{value}' is no value", where=key, do="write YAML: 3, 0.5, [1, 2]"
            ) from None
    return parsed


def to_dict(config: Any) -> dict[str, Any]:
    """Flat ``{dotted name: value}`` of a configuration, with lists for tuples (JSON and ROS)."""
    return {key: _plain(value) for key, value in _flatten(dataclasses.asdict(config)).items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


class _Loader(yaml.SafeLoader):
    """Takes 1e-3 for a number, as ROS and YAML 1.2 do and PyYAML does not.

    Takes no alias, as ROS does not: a few lines of them make a document that is endless.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, "an alias (*) is not allowed here", mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789")
)


def _load_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    # PyYAML's own, of a value that is not what its tag or its looks say, or is nested for ever
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}."))
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
    except ValueError as error:  # __post_init__: values that do not go together
        raise ConfigError(str(error), where=where) from None


def _convert(kind: Any, value: Any) -> Any:
    """`value` as `kind`, or None where it is not one. Integers are taken where floats are due."""
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
            return math.inf  # refused where numbers must be finite
    if kind is int and isinstance(value, bool):
        return None
    return value if isinstance(value, kind) else None


def _type_name(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"a list of {typing.get_args(kind)[0].__name__}"
    return {"int": "an integer", "float": "a number", "str": "a text", "bool": "true or false"}[
        kind.__name__
    ]


def _range_text(leaf: Leaf) -> str:
    low = "-inf" if leaf.low is None else f"{leaf.low:g}"
    high = "inf" if leaf.high is None else f"{leaf.high:g}"
    return f"[{low}, {high}]"
