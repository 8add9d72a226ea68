"""The methods that are compared (section 5.1), each a few changes to a domain's configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ls3.runs.domains import Domain, load_domain
from ls3_common import parameters
from ls3_common.errors import ConfigError

SWEPT = ("delta_constraint", "delta_safe", "horizon")
"""Parameters of the planner that section 7.5 varies (figures 7 to 9)."""


@dataclass(frozen=True)
class Method:
    """label: the paper's name; overrides: what differs from the domain, as for ``--set``."""

    label: str
    overrides: tuple[str, ...] = ()


METHODS = {
    "ls3": Method("LS3"),
    "no_safe_set": Method("LS3 (−Safe Set)", ("planner_node.use_safe_set=false",)),
    "bc_safe_set": Method("LS3 (BC SS)", ("learner.gamma_safe=0.0",)),
    "no_constraint": Method("LS3 (no constraints)", ("planner_node.use_constraint=false",)),
}


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        ConfigError: there is none; the text lists all.
    """
    if name not in METHODS:
        raise ConfigError(f"no method '{name}'", do=f"methods: {', '.join(METHODS)}")
    return METHODS[name]


def load_method(
    domain: str, method: str, config: Path | None = None, overrides: Iterable[str] = ()
) -> Domain:
    """Read a domain, changed by a method and then by overrides.

    Raises:
        ConfigError: an unknown domain, method, section or key, a value out of range, or an
            override of what the method itself decides.
    """
    own = find_method(method).overrides
    changes = list(overrides)
    decided = parameters.parse_overrides(own)
    for section, values in parameters.parse_overrides(changes).items():
        for key in values.keys() & decided.get(section, {}).keys():
            raise ConfigError(
                f"method '{method}' decides {section}.{key} itself",
                do="leave the override out, or choose another method",
            )
    return load_domain(domain, config, [*own, *changes])


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
