"""The methods that are compared (section 5.1): each has an agent and changes to the settings.

To add a method, write its agent (`ls3_models.agent`) and add an entry to `METHODS`.
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

if TYPE_CHECKING:  # the module imports PyTorch, which the names of methods do not need
    from ls3_models.agent import AgentKind

SWEPT = ("delta_constraint", "delta_safe", "horizon")
"""Parameters of the planner that section 7.5 varies (figures 7 to 9)."""

LS3 = "ls3.learning.ls3_agent:KIND"
COMPARISONS = "ls3.learning.comparisons"
AS_PRINTED = (
    *(f"learner.{name}=0.0" for name in ("head_noise", "imagined_weight")),
    *(f"learner.views.{name}=0.0" for name in ("shift", "rotation", "scale", "light", "occlusion")),
    *("learner.views.copies=0", "learner.steps_at_goal=0", "learner.goal_ends=false"),
    *("planner_node.safe_rule=probability", "planner_node.constraint_rule=probability"),
)
"""Without the additions to the paper's learning, and with (5) as the paper prints it."""


@dataclass(frozen=True)
class Method:
    """An agent with settings.

    label: name in the paper. agent: ``module:name`` of an `AgentKind`, which is imported when it is
    used. overrides: changes to the domain, as for ``--set``. on_robot: whether the method may move
    an arm, simulated or real, by learning through a node graph.
    """

    label: str
    agent: str
    overrides: tuple[str, ...] = ()
    on_robot: bool = False

    @property
    def kind(self) -> AgentKind:
        """The kind of the method's agent."""
        module, _, name = self.agent.partition(":")
        kind: AgentKind = getattr(importlib.import_module(module), name)
        return kind


METHODS = {
    "ls3": Method("LS3", LS3, on_robot=True),
    "no_safe_set": Method("LS3 (−Safe Set)", LS3, ("planner_node.use_safe_set=false",)),
    "bc_safe_set": Method("LS3 (BC SS)", LS3, ("learner.gamma_safe=0.0",)),
    "no_constraint": Method("LS3 (no constraints)", LS3, ("planner_node.use_constraint=false",)),
    "ls3_paper": Method("LS3 (Table 3's search)", LS3, ("planner_node.profile=paper",)),
    "ls3_as_printed": Method("LS3 (as printed)", LS3, AS_PRINTED),
    "sacfd": Method("SACfD", f"{COMPARISONS}:SACFD"),
    "sacfd_rrl": Method("SACfD+RRL", f"{COMPARISONS}:SACFD_RRL"),
    "awac": Method("AWAC", f"{COMPARISONS}:AWAC"),
    "sacfd_latents": Method("SACfD, from LS3's latents", f"{COMPARISONS}:SACFD_LATENTS"),
    "sacfd_rrl_latents": Method(
        "SACfD+RRL, from LS3's latents", f"{COMPARISONS}:SACFD_RRL_LATENTS"
    ),
    "awac_latents": Method("AWAC, from LS3's latents", f"{COMPARISONS}:AWAC_LATENTS"),
}


def find_method(name: str) -> Method:
    """Return the method of this name.

    Raises:
        ConfigError: there is no such method; the text lists all methods.
    """
    if name not in METHODS:
        raise ConfigError(f"no method '{name}'", do=f"methods: {', '.join(METHODS)}")
    return METHODS[name]


def refuse_on_robot(name: str) -> None:
    """Refuse a method that must not move an arm, before its agent is imported.

    Raises:
        ConfigError: there is no such method.
        UserError: the method may learn in an environment only.
    """
    if not find_method(name).on_robot:
        allowed = ", ".join(key for key, method in METHODS.items() if method.on_robot)
        raise UserError(
            f"method '{name}' must not move an arm: it learns in an environment only",
            do=f"run `ls3 learn --method {name}`; methods that may move an arm: {allowed}",
        )


def load_method(
    domain: str, method: str, config: Path | None = None, overrides: Iterable[str] = ()
) -> Domain:
    """Read a domain, apply the method's changes, then the overrides.

    Raises:
        ConfigError: as `load_domain`, or the method is unknown, or an override changes a parameter
            that the method decides.
    """
    chosen = find_method(method)
    own = chosen.overrides
    changes = list(overrides)
    decided = parameter_files.parse_overrides(own)
    for section, values in parameter_files.parse_overrides(changes).items():
        for key in values.keys() & decided.get(section, {}).keys():
            raise ConfigError(
                f"method '{method}' decides {section}.{key} itself",
                do="leave this override out, or choose another method",
            )
    return load_domain(domain, config, [*own, *changes], chosen.kind.sections)


def run_name(domain: Domain, method: str, config: Path | None = None) -> str:
    """Return the name of a run: ``ls3``, or ``ls3+horizon=3`` if a swept parameter differs.

    domain: as changed by method and overrides. config: the domain's file, if not its own.
    """
    plain = load_domain(domain.name, config).planner
    parts = [method]
    for key in SWEPT:
        value = getattr(domain.planner, key)
        if value != getattr(plain, key):
            parts.append(f"{key}={value:g}")
    return "+".join(parts)


def default_run(domain: Domain, method: str, seed: int, config: Path | None = None) -> Path:
    """Return the default directory of a run: ``runs/<domain>/<run name>/seed_<seed>``."""
    return Path("runs") / domain.name / run_name(domain, method, config) / f"seed_{seed}"
