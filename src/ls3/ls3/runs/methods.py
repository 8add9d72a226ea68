"""The methods that are compared (section 5.1): an agent each, with its changes to a domain.

To add a method, write its agent (`ls3_models.agent`) and name it here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ls3.runs.domains import Domain, load_domain
from ls3_common import parameter_files
from ls3_common.errors import ConfigError, UserError

if TYPE_CHECKING:  # it imports PyTorch, and names of methods must not
    from ls3_models.agent import AgentKind

SWEPT = ("delta_constraint", "delta_safe", "horizon")
"""Parameters of the planner that section 7.5 varies (figures 7 to 9)."""


LS3 = "ls3.learning.ls3_agent:KIND"


@dataclass(frozen=True)
class Method:
    """What learns, and with which settings.

    label: the paper's name; agent: ``module:name`` of an `AgentKind`, imported when it is used;
    overrides: what differs from the domain, as for ``--set``; on_robot: whether it may move an
    arm: learn through a graph of nodes, simulated or real.
    """

    label: str
    agent: str
    overrides: tuple[str, ...] = ()
    on_robot: bool = False

    @property
    def kind(self) -> AgentKind:
        """How its agent is made."""
        module, _, name = self.agent.partition(":")
        kind: AgentKind = getattr(importlib.import_module(module), name)
        return kind


METHODS = {
    "ls3": Method("LS3", LS3, on_robot=True),
    "no_safe_set": Method("LS3 (−Safe Set)", LS3, ("planner_node.use_safe_set=false",)),
    "bc_safe_set": Method("LS3 (BC SS)", LS3, ("learner.gamma_safe=0.0",)),
    "no_constraint": Method("LS3 (no constraints)", LS3, ("planner_node.use_constraint=false",)),
}


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        ConfigError: there is none; the text lists all.
    """
    if name not in METHODS:
        raise ConfigError(f"no method '{name}'", do=f"methods: {', '.join(METHODS)}")
    return METHODS[name]


def refuse_on_robot(name: str) -> None:
    """Refuse a method that must not move an arm, before anything of it is loaded.

    Raises:
        ConfigError: there is no such method.
        UserError: it may only learn in an environment.
    """
    if not find_method(name).on_robot:
        allowed = ", ".join(key for key, method in METHODS.items() if method.on_robot)
        raise UserError(
            f"method '{name}' must not move an arm, it learns in an environment only",
            do=f"`ls3 learn --method {name}`; through a graph: {allowed}",
        )


def load_method(
    domain: str, method: str, config: Path | None = None, overrides: Iterable[str] = ()
) -> Domain:
    """Read a domain, changed by a method and then by overrides.

    Raises:
        ConfigError: an unknown domain, method, section or key, a value out of range, or an
            override of what the method itself decides.
    """
    chosen = find_method(method)
    own = chosen.overrides
    changes = list(overrides)
    decided = parameter_files.parse_overrides(own)
    for section, values in parameter_files.parse_overrides(changes).items():
        for key in values.keys() & decided.get(section, {}).keys():
            raise ConfigError(
                f"method '{method}' decides {section}.{key} itself",
                do="leave the override out, or choose another method",
            )
    return load_domain(domain, config, [*own, *changes], chosen.kind.sections)


def run_name(domain: Domain, method: str, config: Path | None = None) -> str:
    """Name of a method's runs: ``ls3``, or ``ls3+horizon=3`` where a swept parameter differs."""
    plain = load_domain(domain.name, config).planner
    parts = [method]
    for key in SWEPT:
        value = getattr(domain.planner, key)
        if value != getattr(plain, key):
            parts.append(f"{key}={value:g}")
    return "+".join(parts)


def default_run(domain: Domain, method: str, seed: int, config: Path | None = None) -> Path:
    """Where a run lies unless it is told otherwise: ``runs/<domain>/<name>/seed_<seed>``."""
    return Path("runs") / domain.name / run_name(domain, method, config) / f"seed_{seed}"
