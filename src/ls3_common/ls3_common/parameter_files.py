"""Parameters from YAML: ROS 2 parameter files, and values on the command line.

A node reads a parameter file with ``--params-file``, a script with `read_section`::

    /**/planner_node:
      ros__parameters:
        horizon: 5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ls3_common.errors import ConfigError
from ls3_common.parameters import flatten

PARAMETERS = "ros__parameters"
"""The key under which a section has its parameters."""
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


def read_section(path: str | Path, section: str, namespace: str = "") -> dict[str, Any]:
    """Read the section of a node, or of another part of the stack, which the file must have.

    Returns:
        As `read_node`.

    Raises:
        ConfigError: as `read_node`, or the file has no such section.
    """
    found = _sections(path)
    if not any(name.rpartition("/")[2] == section for name in found):
        names = ", ".join(name.rpartition("/")[2] for name in found)
        raise ConfigError(f"no section '{section}'", where=str(path), do=f"sections: {names}")
    return read_node(path, section, namespace)


def read_node(path: str | Path, node: str, namespace: str = "") -> dict[str, Any]:
    """Read what a node reads of a ROS parameter file, with what ``/**`` gives to all nodes.

    The rules are those of ROS: the keys of nested namespaces are joined, ``*`` stands for one name,
    ``**`` for any number of names, and a later section overrides an earlier one.

    Args:
        path: the file.
        node: name of the node.
        namespace: of the node. Empty: the only one of which the file has a section for the node.

    Returns:
        Values by dotted name. The facts of the domain and the middleware's own parameters are left
        out.

    Raises:
        ConfigError: the file is missing or is not YAML, or has parameters for nodes of this name in
            several namespaces.
    """
    merged: dict[str, Any] = {}
    places: set[str] = set()
    for name, values in _sections(path).items():
        parent, _, last = name.rpartition("/")
        fits = last in (node, "*", "**")
        if namespace:
            fits = fits and _matches(name, f"/{namespace.strip('/')}/{node}")
        if not fits:
            continue
        merged |= _flat(name, values, path)
        if "*" not in parent and name != SHARED:
            places.add(parent or "/")
    if len(places) > 1 and not namespace:
        raise ConfigError(
            f"parameters of '{node}' in several namespaces: {', '.join(sorted(places))}",
            where=str(path),
            do="give the namespace, or keep the parameters of one of them in the file",
        )
    return {
        name: value
        for name, value in merged.items()
        if not (name.startswith(DOMAIN) or of_middleware(name))
    }


def last_section(path: str | Path, node: str) -> str:
    """Return the name of the section by which a further file overrides what `path` sets for a node.

    ROS merges the sections of all files by their names, and goes through the names in the order of
    their first lines. A value under ``/**`` in a later file is therefore overridden by one under
    ``/**/planner_node`` in an earlier file.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    own = [name for name in _sections(path) if name.rpartition("/")[2] in (node, "*", "**")]
    return own[-1] if own else f"{SHARED}/{node}"


def read_facts(path: str | Path) -> dict[str, Any]:
    """Read the facts of the domain by name; an empty mapping if the file states none.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    found = _sections(path)
    # a file may have nested sections under /** and no parameters for all nodes
    shared = _flat(SHARED, found[SHARED], path) if SHARED in found else {}
    return {
        name.removeprefix(DOMAIN): value
        for name, value in shared.items()
        if name.startswith(DOMAIN)
    }


def split_overrides(text: str) -> list[str]:
    """Split ``a.b=1, c.d=[2, 3] e.f=4`` into its three overrides.

    Commas and spaces separate only where a further SECTION.KEY= follows, as a value may be a list.
    """
    parts = re.split(r"[,\s]+(?=\w+\.[\w.]+=)", text.strip().rstrip(","))
    return [part for part in parts if part]


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


def refuse_unknown_sections(changes: Iterable[str], known: Iterable[str]) -> None:
    """Refuse overrides of sections that are not `known`.

    Raises:
        ConfigError: there is no such section; the text lists those that exist.
    """
    sections = sorted(known)
    for name in changes:
        if name not in sections:
            raise ConfigError(
                f"no section '{name}' to override", do=f"sections: {', '.join(sections)}"
            )


def parse_values(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``["camera_shift=3,start_jitter=0.02"]`` into a mapping with two values.

    A comma separates only where a further NAME= follows, as a value may be a list.

    Raises:
        ConfigError: an assignment is not NAME=VALUE, or its value is not YAML.
    """
    parsed: dict[str, Any] = {}
    for text in assignments:
        for part in re.split(r",(?=\s*\w+=)", text):
            name, equals, value = part.strip().partition("=")
            if not (equals and name):
                raise ConfigError(f"'{part}' gives no value", do="write NAME=VALUE,NAME=VALUE")
            parsed[name] = _value(value, name)
    return parsed


def _value(text: str, where: str) -> Any:
    try:
        return _load_yaml(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"'{text}' is no value", where=where, do="write YAML: 3, 0.5, [1, 2]"
        ) from None


def _sections(file: str | Path) -> dict[str, Any]:
    """Return what stands under ros__parameters, by the full name of the section.

    Sections are in the order of their first lines; None: a section without ros__parameters.

    Raises:
        ConfigError: the file is missing, is not YAML or is not a parameter file.
    """
    path = Path(file)
    try:
        found = _loaded(path.read_text(), _named)
    except FileNotFoundError:
        near = sorted(other.name for other in path.parent.glob("*.yaml"))
        raise ConfigError(
            "no such file", where=str(path), do=f"files there: {', '.join(near) or 'none'}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if found is None:
        raise ConfigError(
            "not a ROS parameter file", where=str(path), do="see config/ for examples"
        )
    return found


def _named(loader: _Loader, root: yaml.Node | None) -> dict[str, Any] | None:
    """The sections of a document; None if the document is no parameter file.

    The nodes of YAML are walked, because ROS adds up the sections of a name that occurs twice.
    """

    def walk(node: yaml.MappingNode, within: str) -> Iterator[tuple[str, Any]]:
        for key, body in node.value:
            name = f"{within}/{str(key.value).strip('/')}"
            if key.value == PARAMETERS:
                yield within, loader.construct_object(body, deep=True)
            elif isinstance(body, yaml.MappingNode) and body.value:
                yield from walk(body, name)
            else:
                yield name, None

    if not isinstance(root, yaml.MappingNode):
        return None
    found: dict[str, Any] = {}
    for name, values in walk(root, ""):
        old = found.get(name)
        if isinstance(old, dict) and isinstance(values, dict):
            found[name] = flatten(old) | flatten(values)
        elif values is not None or name not in found:
            found[name] = values
    return found


def _matches(name: str, node: str) -> bool:
    """Whether a section of this name is read by a node, given its full name."""
    wild = {"**": r"(/\w+)*", "*": r"/\w+"}
    parts = (wild.get(part, f"/{re.escape(part)}") for part in name.split("/")[1:])
    return re.fullmatch("".join(parts), node) is not None


def _flat(name: str, values: Any, path: str | Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigError(f"section '{name}' has no {PARAMETERS}", where=str(path))
    return flatten(values)


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

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Merge the mappings of a key that occurs twice, as ROS does; else the later value wins."""
        merged: dict[Any, Any] = {}
        for pair in node.value:
            one = yaml.MappingNode(node.tag, [pair], node.start_mark, node.end_mark)
            for key, value in super().construct_mapping(one, deep=True).items():
                old = merged.get(key)
                both = isinstance(old, dict) and isinstance(value, dict)
                merged[key] = old | value if both else value
        return merged


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789")
)


def _load_yaml(text: str) -> Any:
    def value(loader: _Loader, root: yaml.Node | None) -> Any:
        return None if root is None else loader.construct_document(root)

    return _loaded(text, value)


def _loaded(text: str, use: Callable[[_Loader, yaml.Node | None], Any]) -> Any:
    """Parse YAML and return what `use` makes of the document; raise YAMLError for any fault."""
    loader = _Loader(text)
    try:
        return use(loader, loader.get_single_node())
    # PyYAML raises these for a value that contradicts its tag or form, and for endless nesting
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()
