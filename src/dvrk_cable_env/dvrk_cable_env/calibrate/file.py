"""Sets numbers in a ROS parameter file without touching anything else in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from ls3_common.errors import ConfigError
from ls3_common.files import replacing
from ls3_common.parameter_files import read_section

Value = int | float | bool | str | Sequence[int] | Sequence[float]
"""A parameter's value."""


def save(path: str | Path, section: str, values: Mapping[str, Value]) -> None:
    """Set parameters of one node in a file. Other keys, their order and all comments stay.

    A missing file or section is created. The file is replaced in one step, so that it is never
    half written; a symbolic link stays a link.

    Args:
        path: the ROS parameter file.
        section: name of the node.
        values: values to set, by parameter name.

    Raises:
        ConfigError: the file is not a ROS parameter file, or cannot be written.
    """
    path = Path(path).resolve()
    try:
        text = path.read_text() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    changed = set_values(text, section, values, str(path))
    if not path.parent.is_dir():
        raise ConfigError("cannot be written: there is no such folder", where=str(path))
    try:
        with replacing(path) as part:
            part.write_text(changed)
            read = read_section(part, section)
            wrong = [key for key, value in values.items() if read.get(key) != _plain(value)]
            if wrong:
                raise ConfigError(f"could not set {', '.join(wrong)}", where=str(path))
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from None


def set_values(text: str, section: str, values: Mapping[str, Value], where: str) -> str:
    """Return the text of a parameter file with some values of a section set.

    Args:
        text: the file's text; empty for a new file.
        section: name of the node.
        values: values to set, by parameter name.
        where: the file's name, for error messages.

    Raises:
        ConfigError: the text is not a ROS parameter file.
    """
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=where) from None
    fresh = [f"    {key}: {_to_yaml(value)}\n" for key, value in values.items()]
    if document is not None and not isinstance(document, yaml.MappingNode):
        raise ConfigError("not a ROS parameter file", where=where, do="see config/ for examples")
    body = None if document is None else _parameters(document, section, where)
    if body is None:
        gap = "\n" if text.strip() else ""
        newline = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{newline}{gap}/**/{section}:\n  ros__parameters:\n{''.join(fresh)}"
    present = {key.value: (key, value) for key, value in body.value}
    edits = [
        (key.end_mark.index, _end(value), f": {_to_yaml(values[name])}")
        for name, (key, value) in present.items()
        if name in values
    ]
    first = body.start_mark
    missing = [name for name in values if name not in present]
    indent = " " * first.column
    added = "".join(f"{name}: {_to_yaml(values[name])}\n{indent}" for name in missing)
    edits.append((first.index, first.index, added))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _parameters(document: yaml.MappingNode, section: str, where: str) -> yaml.MappingNode | None:
    """The mapping under `ros__parameters` of the last section with this name."""
    found = None
    for key, body in document.value:
        if key.value.rsplit("/", 1)[-1] != section:
            continue
        inner = {k.value: v for k, v in body.value} if isinstance(body, yaml.MappingNode) else {}
        found = inner.get("ros__parameters")
        if not isinstance(found, yaml.MappingNode) or found.flow_style or not found.value:
            raise ConfigError(
                f"section '{key.value}' has no ros__parameters with one key per line", where=where
            )
    return found


def _end(node: yaml.Node) -> int:
    """Index at which a value ends. YAML ends a block only where the next key begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _plain(value: Value) -> Value:
    return value if isinstance(value, int | float | str) else list(value)


def _to_yaml(value: Value) -> str:
    """A value as YAML. A float keeps its decimal point, from which ROS infers its type."""
    if isinstance(value, str):
        return str(yaml.safe_dump(value, default_style='"')).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    return f"[{', '.join(map(_number, value))}]"


def _number(value: float) -> str:
    text = repr(value)
    if "e" in text and "." not in text:  # YAML 1.1 reads 1e-05 as a string
        return text.replace("e", ".0e")
    return text
