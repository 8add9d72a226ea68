"""A domain is one YAML file; this finds it and reads the sections that Algorithm 1 needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import ls3_planner
from ls3_common import parameters
from ls3_common.errors import ConfigError
from ls3_models.config import LearnerConfig
from ls3_planner.config import AlgorithmConfig, PlannerConfig

Config = TypeVar("Config")


@dataclass(frozen=True)
class Domain:
    """All that decides a run: data, learning and planning.

    own: further sections, which only the method's agent reads.
    """

    name: str
    learner: LearnerConfig
    planner: PlannerConfig
    algorithm: AlgorithmConfig
    own: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, sections: Iterable[str]) -> dict[str, Any]:
        """The configurations of these sections, by section."""
        known = {"learner": self.learner, "planner_node": self.planner, **self.own}
        return {name: known[name] for name in sections}


def share_directories() -> Iterator[Path]:
    """Where ls3_planner's config/, launch/ and models/ may lie, the source tree first."""
    yield Path(ls3_planner.__file__).resolve().parents[1]
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield Path(prefix) / "share" / "ls3_planner"
    yield Path(sys.prefix) / "share" / "ls3_planner"


def find_shared(relative: str) -> Path | None:
    """An installed file or directory such as ``config/cable_routing.yaml``."""
    for directory in share_directories():
        if (directory / relative).exists():
            return directory / relative
    return None


def domain_names() -> list[str]:
    """Domains that have a configuration file."""
    config = find_shared("config")
    return sorted(path.stem for path in config.glob("*.yaml")) if config else []


def load_domain(
    name: str,
    config: Path | None = None,
    overrides: Iterable[str] = (),
    agent: Mapping[str, type] | None = None,
) -> Domain:
    """Read a domain's sections, changed by overrides such as ``planner_node.horizon=3``.

    `agent` are the sections that an agent reads, with their dataclasses (`AgentKind.sections`).

    Raises:
        ConfigError: an unknown domain, section, key or a value out of range.
    """
    path = config or find_shared(f"config/{name}.yaml")
    if path is None:
        raise ConfigError(f"no domain '{name}'", do=f"domains: {', '.join(domain_names())}")
    changes = parameters.parse_overrides(overrides)
    sections = {"learner", "planner_node", "algorithm"}
    own = {key: cls for key, cls in (agent or {}).items() if key not in sections}
    sections |= own.keys()
    unknown = set(changes) - sections
    if unknown:
        raise ConfigError(
            f"no section '{unknown.pop()}' to override",
            do=f"sections: {', '.join(sorted(sections))}",
        )

    def section(key: str, cls: type[Config]) -> Config:
        values: dict[str, Any] = parameters.read_section(path, key)
        return parameters.build(cls, values | changes.get(key, {}), f"{path}, section {key}")

    return Domain(
        name,
        section("learner", LearnerConfig),
        section("planner_node", PlannerConfig),
        section("algorithm", AlgorithmConfig),
        {key: section(key, cls) for key, cls in own.items()},
    )
