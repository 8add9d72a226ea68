"""Reads the rules for importing bags from the parameter file of the robot's nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.bags.records import TopicNames
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from ls3_common import parameters
from ls3_common.domain import DomainSpec, taken
from ls3_common.parameter_files import read_node


@dataclass(frozen=True)
class _Settle:
    """The parameter of episode_node that decides which frame shows a state."""

    settle: float = parameters.parameter(
        Rules.settle, low=0, description="rest between a motion and its frame", unit="s"
    )


def read_rules(
    config: Path,
    spec: DomainSpec,
    *,
    names: TopicNames,
    actions: Literal["auto", "commands", "setpoints"],
    period: float,
) -> Rules:
    """Return the rules for bags of one robot.

    Args:
        config: parameter file of the robot's nodes.
        spec: facts of the domain, which fill some of the nodes' parameters.
        names: namespace and names of the topics.
        actions: what actions are read from; auto: from commands if the bag has any.
        period: time between two states if actions come from setpoints, s.

    Raises:
        ConfigError: the file cannot be read, or a value in it is out of range.
    """
    rules = Rules(
        names=names,
        actions=actions,
        period=period,
        limits=_section(config, names.namespace, spec, "arm_node", ArmLimits, "limits."),
        segmentation=_section(
            config, names.namespace, spec, "segmentation_node", SegmentationConfig
        ),
    )
    return replace(
        rules, settle=_section(config, names.namespace, spec, "episode_node", _Settle).settle
    )


def _section(
    config: Path, namespace: str, spec: DomainSpec, name: str, cls: type[Any], prefix: str = ""
) -> Any:
    """Fill `cls` with what the file gives to node `name`; the rest are defaults, as in the node.

    prefix: what the section's keys begin with where they name fields of `cls`.
    """
    values = read_node(config, name, namespace)
    known = {leaf.name for leaf in parameters.leaves(cls)}
    own = {key.removeprefix(prefix): value for key, value in values.items()}
    own = {key: value for key, value in own.items() if key in known}
    where = f"{config}, section {name}"
    return parameters.build(cls, own | taken(cls, own, spec, where), where)
