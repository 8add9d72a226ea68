"""Reads a domain's YAML file: the facts of the task and the settings of Algorithm 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ls3_common import parameter_files, parameters
from ls3_common.domain import ENVIRONMENT, DomainSpec, find_config, read_spec, taken
from ls3_models.config import LearnerConfig
from ls3_models.offline_data import Spec
from ls3_planner.config import AlgorithmConfig, PlannerConfig

Config = TypeVar("Config")


@dataclass(frozen=True)
class Domain:
    """Everything that decides a run except the method, the data and the seed.

    spec: facts of the task. learner, planner, algorithm: settings of learning, planning and
    Algorithm 1. own: further sections, which only the method's agent reads. variations: those of
    the environment that are on, by name.
    """

    name: str
    spec: DomainSpec
    learner: LearnerConfig
    planner: PlannerConfig
    algorithm: AlgorithmConfig
    own: Mapping[str, Any] = field(default_factory=dict)
    variations: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, sections: Iterable[str]) -> dict[str, Any]:
        """Return the settings of these sections, by section."""
        known = {"learner": self.learner, "planner_node": self.planner, **self.own}
        return {name: known[name] for name in sections}

    @property
    def data_spec(self) -> Spec:
        """Shapes and bounds of the data. Bounds are rounded to float32, as in an environment."""
        low, high = (
            tuple(float(np.float32(number)) for number in bound)
            for bound in (self.spec.action_low, self.spec.action_high)
        )
        return Spec(self.name, self.spec.observation_shape, low, high)


def load_domain(
    name: str,
    config: Path | None = None,
    overrides: Iterable[str] = (),
    agent: Mapping[str, type] | None = None,
) -> Domain:
    """Read a domain and apply overrides.

    Args:
        name: name of the domain.
        config: file to read; None for the domain's own ``config/<name>.yaml``.
        overrides: changes such as ``planner_node.horizon=3``.
        agent: sections that the method's agent reads, with their dataclasses
            (`AgentKind.sections`).

    Raises:
        ConfigError: a domain, section, key or variation is unknown, a value is out of range, or a
            section repeats a fact of the domain.
        UserError: there are variations of an environment that is not installed.
    """
    path = find_config(name, config)
    changes = parameter_files.parse_overrides(overrides)
    sections = {"domain", ENVIRONMENT, "learner", "planner_node", "algorithm"}
    own = {key: cls for key, cls in (agent or {}).items() if key not in sections}
    sections |= own.keys()
    parameter_files.refuse_unknown_sections(changes, sections)
    spec = read_spec(path, changes.get("domain"))

    def section(key: str, cls: type[Config]) -> Config:
        where = f"{path}, section {key}"
        values: dict[str, Any] = parameter_files.read_section(path, key) | changes.get(key, {})
        return parameters.build(cls, values | taken(cls, values, spec, where), where)

    return Domain(
        name,
        spec,
        section("learner", LearnerConfig),
        section("planner_node", PlannerConfig),
        section("algorithm", AlgorithmConfig),
        {key: section(key, cls) for key, cls in own.items()},
        _variations(path, spec, changes.get(ENVIRONMENT, {})),
    )


def _variations(path: Path, spec: DomainSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Read the variations that are on; a file without the section switches none on."""
    from ls3_sim.registration import check_variations  # gymnasium takes a moment to import

    values = {**parameter_files.read_node(path, ENVIRONMENT), **changes}
    return check_variations(spec, values, f"{path}, section {ENVIRONMENT}")
