"""Every parameter of a domain: its meaning, range, default and value, and where the value is set.

The dataclasses of parameters (`ls3_common.parameters`) hold all of this except the values. The
table `SECTIONS` names the dataclass of each section of a parameter file. Those of nodes are
imported with ROS; without ROS their sections are left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ls3_common import parameter_files, parameters
from ls3_common.domain import ENVIRONMENT, DomainSpec, find_config, read_spec, taken
from ls3_common.parameters import REQUIRED, Leaf

FACTS = "domain"
"""Section of the facts of the domain, which stand under ``/**``."""
COMMANDS = {
    "learner": "ls3_models.config:LearnerConfig",
    "planner_node": "ls3_planner.config:PlannerConfig",
    "algorithm": "ls3_planner.config:AlgorithmConfig",
    "sacfd": "ls3_models.comparisons.config:SacfdConfig",
    "sacfd_rrl": "ls3_models.comparisons.config:RecoveryConfig",
    "awac": "ls3_models.comparisons.config:AwacConfig",
}
NODES = {
    "encoder_node": "ls3_models.encoder_node:EncoderNodeConfig",
    "episode_node": "ls3_episodes.episode_node:EpisodeNodeConfig",
    "run_node": "ls3_episodes.run_node:RunNodeConfig",
    "view_node": "ls3_episodes.view_node:ViewNodeConfig",
}
JOINT_NODES = {"controller_node": "ls3_episodes.controller_node:ControllerNodeConfig"}
ARM_NODES = {
    "segmentation_node": "dvrk_cable_env.camera.segmentation:NodeConfig",
    "arm_node": "dvrk_cable_env.arm.arm:ArmConfig",
    "sim_node": "ls3_sim.sim_node:SimConfig",
    "black_box": "dvrk_cable_env.black_box.memory:BlackBoxConfig",
    "preflight": "dvrk_cable_env.preflight.findings:PreflightConfig",
    "teleop_node": "dvrk_cable_env.teleop.teleop:TeleopConfig",
    "record_monitor": "dvrk_cable_env.teleop.recording:RecordingConfig",
}
SECTIONS: Mapping[str, str] = {**COMMANDS, **NODES, **JOINT_NODES, **ARM_NODES}
"""The dataclass of each section, `module:class`, apart from `domain` and `environment`."""
NOT_HERE = {"sim_node": f"{ENVIRONMENT}.", "view_node": "film."}
"""Prefix of a node's parameters that a launch takes from another section."""


@dataclass(frozen=True)
class Setting:
    """One parameter of a domain.

    Attributes:
        section: name of its section.
        leaf: name, type, description, limits and default.
        value: the value in force; REQUIRED if nothing gives one, as where a launch file will.
        source: what gives the value.
    """

    section: str
    leaf: Leaf
    value: Any
    source: str

    @property
    def key(self) -> str:
        """The name by which `--set` and ``set:=`` change the parameter: SECTION.KEY."""
        return f"{self.section}.{self.leaf.name}"


def find_class(section: str) -> type | None:
    """Return the dataclass of a section in `SECTIONS`; None if its node or ROS is not installed."""
    module, name = SECTIONS[section].split(":")
    try:
        found: type = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return None
    return found


def own_leaves(section: str, cls: type) -> list[Leaf]:
    """Return the parameters of a section, without those that a launch takes from another one."""
    elsewhere = NOT_HERE.get(section)
    return [
        leaf
        for leaf in parameters.leaves(cls)
        if elsewhere is None or not leaf.name.startswith(elsewhere)
    ]


def sections_of(spec: DomainSpec) -> list[str]:
    """Return the names of a domain's sections that `SECTIONS` holds."""
    return [*COMMANDS, *NODES, *(JOINT_NODES if spec.joints else ARM_NODES)]


def read_settings(
    name: str, config: Path | None = None, overrides: Iterable[str] = (), only: str = ""
) -> tuple[list[Setting], list[str]]:
    """Read the parameters of a domain.

    Args:
        name: name of the domain.
        config: parameter file; None for the domain's own.
        overrides: changes such as ``planner_node.horizon=3``.
        only: the section to read, which saves the imports for the others; if there is none of this
            name, all are read.

    Returns:
        The parameters, and the names of the sections that were left out for want of ROS.

    Raises:
        ConfigError: a domain, section or key is unknown, or a value is out of range.
    """
    path = find_config(name, config)
    changes = parameter_files.parse_overrides(overrides)
    spec = read_spec(path, changes.get(FACTS))
    names = [FACTS, ENVIRONMENT, *sections_of(spec)]
    parameter_files.refuse_unknown_sections(changes, names)
    names = [only] if only in names else names
    classes = {name: _class_of(name, spec) for name in names}
    found: list[Setting] = []
    for section, cls in classes.items():
        if cls is not None:
            found += _section(section, cls, path, spec, changes.get(section, {}))
    missing = [name for name, cls in classes.items() if cls is None and name != ENVIRONMENT]
    return found, missing


def _class_of(section: str, spec: DomainSpec) -> type | None:
    if section == FACTS:
        return DomainSpec
    if section != ENVIRONMENT:
        return find_class(section)
    from ls3_sim.registration import variations_class  # gymnasium takes a moment to import

    return variations_class(spec)


def _section(
    section: str, cls: type, path: Path, spec: DomainSpec, changed: Mapping[str, Any]
) -> list[Setting]:
    """Return the parameters of one section; `changed` are those of the overrides."""
    if section == FACTS:
        given = parameter_files.read_facts(path)
    else:
        given = parameter_files.read_node(path, section)
    where = f"{path}, section {section}"
    parameters.refuse_unknown(cls, {**given, **changed}, where)
    facts = taken(cls, {**given, **changed}, spec, where)
    found = []
    for leaf in own_leaves(section, cls):
        name = leaf.name
        if name in changed:
            value, source = parameters.check(leaf, changed[name], "--set"), "--set"
        elif name in given:
            value, source = parameters.check(leaf, given[name], where), str(path)
        elif name in facts:
            value, source = facts[name], f"{FACTS}.{leaf.domain}"
        elif leaf.default is REQUIRED:
            value, source = REQUIRED, "a launch file"
        else:
            value, source = leaf.default, "default"
        found.append(Setting(section, leaf, value, source))
    return found


def in_words(value: Any) -> str:
    """Return a value as YAML would hold it; '' for REQUIRED."""
    if value is REQUIRED:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(in_words, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if value == "" else str(value)


def range_in_words(leaf: Leaf) -> str:
    """Return the values that a parameter may have, such as ``[0, 1]`` or ``cem, icem``."""
    if leaf.choices:
        return ", ".join(in_words(choice) for choice in leaf.choices)
    kind, many = parameters.element_type(leaf.type)
    if kind is bool:
        text = "true, false"
    elif kind is str:
        text = "path" if leaf.is_path else "text"
    elif leaf.low is None and leaf.high is None:
        text = "integer" if kind is int else "number"
    elif leaf.high is None:
        text = f">= {leaf.low:g}"
    elif leaf.low is None:
        text = f"<= {leaf.high:g}"
    else:
        text = f"[{leaf.low:g}, {leaf.high:g}]"
    return f"list, each {text}" if many else text
