"""Parameters from YAML: ROS 2 parameter files, and values on the command line.

A node reads a parameter file with ``--params-file``, a script with `read_section`::

    /**/planner_node:
      ros__parameters:
        horizon: 5
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ls3_common.errors import ConfigError
from ls3_common.parameters import flatten

SHARED = "/**"
"""The section whose parameters all nodes receive."""
DOMAIN = "domain."
"""Prefix of the parameters in `SHARED` that are facts of the domain (`ls3_common.domain`)."""
MIDDLEWARE = ("use_sim_time", "start_type_description_service")
"""Parameters that rclpy declares for every node; the second since Iron. `ros2 param dump` writes
them too, and a dump may come from another distribution of ROS."""
QOS_OVERRIDES = "qos_overrides."
"""Prefix of the parameters by which ROS changes a topic's quality of service."""


def of_middleware(name: str) -> bool:
    """Whether a parameter belongs to ROS itself, so that no configuration class contains it."""
    return name in MIDDLEWARE or name.startswith(QOS_OVERRIDES)


def read_section(path: str | Path, section: str) -> dict[str, Any]:
    """Read the parameters of one section of a ROS parameter file, those of ``/**`` included.

    Returns:
        Values by dotted name. The facts of the domain and the middleware's own parameters are left
        out.

    Raises:
        ConfigError: the file is missing, is not YAML, or has no such section.
    """
    document = _read_document(path)
    merged: dict[str, Any] = {}
    present = False
    for key in document:
        if key == SHARED or str(key).rsplit("/", 1)[-1] == section:
            present = present or key != SHARED
            merged |= _parameters_of(document, key, path)
    if not present:
        names = ", ".join(str(key).rsplit("/", 1)[-1] for key in document)
        raise ConfigError(f"no section '{section}'", where=str(path), do=f"sections: {names}")
    return {
        name: value
        for name, value in merged.items()
        if not (name.startswith(DOMAIN) or of_middleware(name))
    }


def read_facts(path: str | Path) -> dict[str, Any]:
    """Read the facts of the domain by name; an empty mapping if the file states none.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    document = _read_document(path)
    shared = _parameters_of(document, SHARED, path) if SHARED in document else {}
    return {
        name.removeprefix(DOMAIN): value
        for name, value in shared.items()
        if name.startswith(DOMAIN)
    }


def parse_overrides(assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Turn ``["planner_node.horizon=3"]`` into ``{"planner_node": {"horizon": 3}}``.

    Raises:
        ConfigError: an assignment is not SECTION.KEY=VALUE, or its value is not YAML.
    """
    parsed: dict[str, dict[str, Any]] = {}
    for text in assignments:
        key, _, value = text.partition("=")
        section, dot, name = key.partition(".")
        if not (dot and section and name and "=" in text):
            raise ConfigError(f"'{text}' is no override", do="write SECTION.KEY=VALUE")
        parsed.setdefault(section, {})[name] = _value(value, key)
    return parsed


def parse_values(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``["start_jitter=0.02"]`` into ``{"start_jitter": 0.02}``.

    Raises:
        ConfigError: an assignment is not NAME=VALUE, or its value is not YAML.
    """
    parsed: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise ConfigError(f"'{text}' gives no value", do="write NAME=VALUE")
        parsed[name] = _value(value, name)
    return parsed


def _value(text: str, where: str) -> Any:
    try:
        return _load_yaml(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"'{text}' is no value", where=where, do="write YAML: 3, 0.5, [1, 2]"
        ) from None


def _parameters_of(document: dict[str, Any], key: str, path: str | Path) -> dict[str, Any]:
    body = document[key]
    values = body.get("ros__parameters") if isinstance(body, dict) else None
    if not isinstance(values, dict):
        raise ConfigError(f"section '{key}' has no ros__parameters", where=str(path))
    return flatten(values)


def _read_document(file: str | Path) -> dict[str, Any]:
    path = Path(file)
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
    return document


class _Loader(yaml.SafeLoader):
    """Reads YAML as ROS does, where PyYAML differs.

    1e-3 is a number, as in YAML 1.2. Aliases are refused: with a few lines of aliases a document
    could grow without limit.
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
    # PyYAML raises these for a value that contradicts its tag or form, and for endless nesting
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None
