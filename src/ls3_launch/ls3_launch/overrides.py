"""The argument `set`: parameters that one launch changes, as `ls3 --set` does for one command.

A launch argument that is given twice keeps its last value, so that one argument holds all changes::

    set:="planner_node.horizon=4, planner_node.delta_safe=0.7"
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from launch.actions import DeclareLaunchArgument

from ls3_common.domain import ENVIRONMENT
from ls3_common.errors import ConfigError
from ls3_common.parameter_files import (
    DOMAIN,
    PARAMETERS,
    SHARED,
    last_section,
    parse_overrides,
    refuse_unknown_sections,
    split_overrides,
)

FACTS = DOMAIN.removesuffix(".")
AS_IN_FILE = "auto"
"""Value of the argument `profile` that leaves the parameter as it is."""
LEARNING = ("learner", "algorithm")
"""Sections that only Algorithm 1 reads, mode:=learn."""


def argument() -> DeclareLaunchArgument:
    """Declare the argument."""
    return DeclareLaunchArgument(
        "set",
        default_value="",
        description="changed parameters, SECTION.KEY=VALUE, several of them separated by commas or "
        "spaces; `ls3 config show` lists all",
    )


def changes(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the changed values by section and dotted name; the argument `profile` is one too.

    Raises:
        ConfigError: a change is not SECTION.KEY=VALUE, or has no value.
    """
    parsed = parse_overrides(_texts(given))
    for section, values in parsed.items():
        for name, value in values.items():
            if value is None:
                raise ConfigError(f"'{section}.{name}' has no value", where="set:=")
    return parsed


def check(given: Mapping[str, str], nodes: Sequence[str]) -> None:
    """Refuse sections that no node of this graph reads; nodes refuse unknown keys themselves.

    nodes: names of the graph's nodes.

    Raises:
        ConfigError: as `changes`, or a section would change nothing.
    """
    changed = changes(given)
    for section in LEARNING:
        if section in changed and given["mode"] != "learn":
            raise ConfigError(f"'{section}' changes nothing with mode:=run", where="set:=")
    refuse_unknown_sections(changed, (*nodes, FACTS, ENVIRONMENT, *LEARNING))


def of_node(given: Mapping[str, str], name: str) -> list[str]:
    """Write a parameter file with the changes for a node; return its path, or nothing if none.

    The parameters of a launch file's mapping would not do: they stand under ``/**``, which does not
    override a section of the node's own (`last_section`).
    """
    changed = changes(given)
    sections: dict[str, dict[str, Any]] = {}
    if facts := changed.get(FACTS):
        sections[SHARED] = {f"{DOMAIN}{fact}": value for fact, value in facts.items()}
    if own := changed.get(name):
        section = last_section(given["config"], name)
        sections[section] = sections.get(section, {}) | own
    if not sections:
        return []
    document = {section: {PARAMETERS: values} for section, values in sections.items()}
    with tempfile.NamedTemporaryFile(
        "w", prefix=f"{name}_set_", suffix=".yaml", delete=False
    ) as file:
        yaml.safe_dump(document, file)
    return [file.name]


def of_learning(given: Mapping[str, str]) -> list[str]:
    """Return the changes that Algorithm 1 reads, as texts for `--set`."""
    read = (FACTS, ENVIRONMENT, "planner_node", *LEARNING)
    return [text for text in _texts(given) if text.partition(".")[0] in read]


def _texts(given: Mapping[str, str]) -> list[str]:
    profile = given.get("profile", AS_IN_FILE)
    own = [] if profile == AS_IN_FILE else [f"planner_node.profile={profile}"]
    return own + split_overrides(given.get("set", ""))
