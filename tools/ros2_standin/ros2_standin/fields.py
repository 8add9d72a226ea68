"""Messages from YAML and as YAML, as ros2 takes and prints them."""

from __future__ import annotations

import array
import importlib
import sys
from collections.abc import Callable
from typing import Any

import yaml

from ros2_standin import StandinError

KINDS = {"msg": "message", "srv": "service", "action": "action"}


def interface_class(name: str, kind: str) -> Any:
    """Return the class of an interface type ``package/kind/Name`` or ``package/Name``.

    Args:
        name: the type.
        kind: ``msg``, ``srv`` or ``action``.

    Raises:
        StandinError: the type is not installed.
    """
    package, *middle, word = name.split("/")
    try:
        if middle not in ([], [kind]):
            raise ValueError
        return getattr(importlib.import_module(f"{package}.{kind}"), word)
    except (ImportError, AttributeError, ValueError):
        raise StandinError(f"{KINDS[kind]} type '{name}' is not installed") from None


def parse(text: str) -> dict[str, Any]:
    """Return the values of a message that stand on the command line.

    Raises:
        StandinError: the text is not a YAML mapping.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StandinError(f"the passed value is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise StandinError("The passed value needs to be a dictionary in YAML format")
    return values


def fill(message: Any, values: dict[str, Any]) -> list[Callable[[Any], None]]:
    """Set the fields of a message.

    Args:
        message: the message; fields that are not named stay as they are.
        values: values by field; ``auto`` for a header and ``now`` for a time mean a stamp.

    Returns:
        Functions that set the fields that wait for a stamp, each from a builtin_interfaces/Time.

    Raises:
        StandinError: a field does not exist, or its value has another type.
    """
    stamps: list[Callable[[Any], None]] = []
    types = message.get_fields_and_field_types()
    for name, value in values.items():
        try:
            if name not in types:
                raise AttributeError(f"'{type(message).__name__}' object has no attribute '{name}'")
            present = getattr(message, name)
            if types[name] == "std_msgs/Header" and value == "auto":
                stamps.append(lambda now, header=present: setattr(header, "stamp", now))
            elif types[name] == "builtin_interfaces/Time" and value == "now":
                stamps.append(lambda now, name=name: setattr(message, name, now))
            elif hasattr(present, "get_fields_and_field_types"):
                stamps += fill(present, dict(value or {}))
            else:
                setattr(message, name, _value(types[name], present, value, stamps))
        except (AssertionError, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise StandinError(f"Failed to populate field: {error}") from None
    return stamps


def _value(kind: str, present: Any, value: Any, stamps: list[Callable[[Any], None]]) -> Any:
    """Return `value` in the type of the present value of a field of type `kind`."""
    if isinstance(present, array.array):
        return array.array(present.typecode, value)
    if isinstance(present, list) and "/" in kind:
        element = interface_class(kind.partition("<")[2].partition(">")[0].partition(",")[0], "msg")
        made = [element() for _ in value]
        for item, fields in zip(made, value, strict=True):
            stamps += fill(item, dict(fields))
        return made
    if hasattr(present, "dtype"):  # a fixed number of numbers
        filled = present.copy()
        filled[:] = value
        return filled
    if isinstance(present, bytes):
        return bytes([value]) if isinstance(value, int) else bytes(value)
    return value if isinstance(present, list) else type(present)(value)


def document(value: Any, limit: int | None = None) -> str:
    """Return a message or a field as YAML, with a line break at its end; see `plain`."""
    data = plain(value, limit)
    if not isinstance(data, dict | list):
        return f"{data}\n"
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def plain(value: Any, limit: int | None) -> Any:
    """Convert a message to dicts, lists and scalars; texts and lists are cut at `limit`."""
    if hasattr(value, "get_fields_and_field_types"):
        names = value.get_fields_and_field_types()
        return {name: plain(getattr(value, name), limit) for name in names}
    if hasattr(value, "tolist"):  # array.array and NumPy's types
        value = value.tolist()
    if isinstance(value, bytes):
        value = "".join(map(chr, value))
    cut = limit is not None and isinstance(value, str | list | tuple) and len(value) > limit
    if isinstance(value, str):
        return value[:limit] + "..." if cut else value
    if isinstance(value, list | tuple):
        return [plain(item, limit) for item in value[:limit]] + ["..."] * cut
    return value
