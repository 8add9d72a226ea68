"""A domain: the facts of a task that its environment, nodes, learner and planner share.

Every fact stands once, in the domain's YAML file. It stands under ``/**``, the section for the
parameters of all nodes, so that ``--params-file`` gives every node the facts too::

    /**:
      ros__parameters:
        domain:
          environment: LS3/Navigation-v0
          horizon: 100  # T

A configuration class takes a fact over with ``parameter(..., domain="horizon")``. Nodes
(`ros.declare`) and the command line both read the value with `taken`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ls3_common.errors import ConfigError
from ls3_common.parameter_files import DOMAIN, read_facts
from ls3_common.parameters import build, leaves, parameter
from ls3_common.shared import find_shared

ENVIRONMENT = "environment"
"""Section of a domain's YAML with the variations of its environment."""


@dataclass(frozen=True, kw_only=True)
class DomainSpec:
    """The facts of one domain. A new domain supplies these, and an environment to learn in.

    The environment is a gymnasium environment with uint8 images (height, width, channel) as
    observations, a Box as action space, and ``success`` and ``constraint`` in its info. An
    environment that is registered with a keyword argument ``domain`` receives this object in it.

    Raises:
        ValueError: two facts do not agree, such as the numbers of joints and of action dimensions.
    """

    environment: str = parameter(
        description="gymnasium id; in 'module:id' the module registers the environment"
    )
    horizon: int = parameter(low=1, description="T, steps of an episode")
    action_low: tuple[float, ...] = parameter(description="least action, a number per dimension")
    action_high: tuple[float, ...] = parameter(
        description="greatest action, a number per dimension"
    )
    action_unit: str = parameter(description="unit of the action's numbers, such as 'm'")
    image_size: int = parameter(
        low=4, high=4096, description="side of the square images", unit="px"
    )
    channels: int = parameter(
        low=1, high=64, description="channels of one frame: 1 for a mask or grey, 3 for RGB"
    )
    frames: int = parameter(
        1, low=1, high=64, description="frames stacked in an observation (Table 3), the newest last"
    )
    constraints: tuple[str, ...] = parameter(
        description="names of the constraints; info['constraint'] says whether any is violated"
    )
    variations: tuple[str, ...] = parameter(
        (),
        description="keyword arguments by which the scene varies, of an environment that declares "
        "no variations itself",
    )
    joints: tuple[str, ...] = parameter(
        (),
        description="names of the commanded joints, one per action; none: an arm is commanded",
    )
    interface: str = parameter(
        "",
        choices=("", "effort", "velocity"),
        description="the joints' command interface, as in ros2_control",
    )
    period: float = parameter(
        0.0, low=0.0, high=10.0, description="how long a command to the joints acts", unit="s"
    )

    def __post_init__(self) -> None:
        low, high = self.action_low, self.action_high
        if len(low) != len(high) or not low:
            raise ValueError(f"{len(low)} numbers in 'action_low', {len(high)} in 'action_high'")
        if any(least >= greatest for least, greatest in zip(low, high, strict=True)):
            raise ValueError("'action_low' is not below 'action_high'")
        if not self.constraints:
            raise ValueError("'constraints' names none")
        if self.joints and len(self.joints) != len(low):
            raise ValueError(f"{len(self.joints)} 'joints' for {len(low)} actions")
        if self.joints and not (self.interface and self.period > 0):
            raise ValueError("'joints' need an 'interface', and a 'period' above 0")

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(height, width, channel) of an observation, all stacked frames included."""
        return self.image_size, self.image_size, self.channels * self.frames

    @property
    def largest_action(self) -> float:
        """The greatest magnitude that a number of an action may have, in the action's unit."""
        return max(map(abs, (*self.action_low, *self.action_high)))


def in_words(variations: Mapping[str, Any]) -> str:
    """Return the variations that are on as text, such as ``start_jitter 0.05, occlusion 10``."""
    return ", ".join(f"{name} {value}" for name, value in variations.items()) or "no variation"


def read_spec(path: str | Path, changes: Mapping[str, Any] | None = None) -> DomainSpec:
    """Read the facts in a domain's file; `changes` replace some of them.

    Raises:
        ConfigError: the file cannot be read, or a fact is missing, unknown or out of range.
    """
    facts = read_facts(path)
    if not facts:
        raise ConfigError(
            "no 'domain' under /**",
            where=str(path),
            do="environment, horizon, action_low and the other facts of the task stand there, "
            "see config/ for examples",
        )
    return build(DomainSpec, {**facts, **(changes or {})}, f"{path}, domain")


def domain_names() -> list[str]:
    """The names of the installed domains, those with a file in config/."""
    folder = find_shared("config")
    return sorted(path.stem for path in folder.glob("*.yaml")) if folder else []


def find_config(name: str, config: Path | None = None) -> Path:
    """Return a domain's parameter file: `config`, or the installed one.

    Raises:
        ConfigError: there is no such domain.
    """
    path = config or find_shared(f"config/{name}.yaml")
    if path is None:
        known = ", ".join(domain_names())
        do = f"domains: {known}; one of your own needs its file, --config or config:="
        raise ConfigError(f"no domain '{name}'", do=do)
    return path


@functools.cache
def load_spec(name: str) -> DomainSpec:
    """The facts of an installed domain.

    Raises:
        ConfigError: there is no such domain, or its file is damaged.
    """
    return read_spec(find_config(name))


def installed(name: str, fact: str) -> Callable[[], Any]:
    """Return a default factory for `parameter`: a fact of an installed domain.

    The default serves where no parameter file gives the fact.
    """
    return lambda: getattr(load_spec(name), fact)


def taken(cls: type, given: Mapping[str, Any], spec: DomainSpec, where: str) -> dict[str, Any]:
    """Return the parameters of a configuration class that are facts of the domain.

    Args:
        cls: the configuration class.
        given: the parameters that a file or the command line sets, by dotted name.
        spec: the domain.
        where: the origin of `given`, for the error text.

    Returns:
        Dotted names and values; without the parameters that stand in `given`.

    Raises:
        ConfigError: `given` repeats a fact, or sets a parameter that may be less than a fact to
            more than the fact.
    """
    values: dict[str, Any] = {}
    for leaf in leaves(cls):
        if not leaf.domain:
            continue
        fact = getattr(spec, leaf.domain)
        if leaf.name not in given:
            values[leaf.name] = list(fact) if isinstance(fact, tuple) else fact
        elif not leaf.may_be_less:
            raise ConfigError(
                f"'{leaf.name}' stands twice",
                where=where,
                do=f"leave it out here: it is {DOMAIN}{leaf.domain} under /**",
            )
        elif isinstance(given[leaf.name], int | float) and given[leaf.name] > fact:
            raise ConfigError(
                f"'{leaf.name}' is {given[leaf.name]}, more than the domain's {leaf.domain}, "
                f"{fact:g}",
                where=where,
                do="give a smaller value here, or leave it out",
            )
    return values
