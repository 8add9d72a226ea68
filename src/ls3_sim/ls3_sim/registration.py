"""Registers the environments with gymnasium, and makes the environment of a domain.

gymnasium 1.x loads no plugins: ``import ls3_sim`` first, or name the module in the id:
``gymnasium.make("ls3_sim:LS3/CableRouting-v0")``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator

from ls3_common.domain import DomainSpec, load_spec
from ls3_common.errors import ConfigError, UserError
from ls3_sim.variations import checked, refuse_unknown, switched_on

ENTRY_POINTS = {
    "cable_routing": "ls3_sim.cable_env:CableEnv",
    "navigation": "ls3_sim.navigation_env:NavigationEnv",
    "pushing": "ls3_sim.pushing_env:PushingEnv",
    "reacher": "ls3_sim.reacher_env:ReacherEnv",
}
"""Class of each domain's environment; id and T are in the domain's YAML file."""


def register() -> None:
    """Register the environments with gymnasium; calling this twice does nothing.

    Raises:
        ConfigError: the file of a domain is not installed or is damaged.
    """
    for name, entry_point in ENTRY_POINTS.items():
        domain = load_spec(name)
        if domain.environment not in gymnasium.registry:
            gymnasium.register(
                domain.environment,
                entry_point=entry_point,
                max_episode_steps=domain.horizon,
                kwargs={"domain": None},  # means the installed one; see `make_environment`
            )


def find_environment(environment: str) -> EnvSpec:
    """Return what gymnasium knows of an environment.

    Args:
        environment: gymnasium id; in ``module:id`` the module is imported first.

    Raises:
        UserError: there is no such environment or no such module.
    """
    module, _, name = environment.rpartition(":")
    with _as_user_error(environment):
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name)


def variations_class(domain: DomainSpec) -> type | None:
    """Return the dataclass of the variations that a domain's environment declares; None: none.

    Raises:
        UserError: there is no such environment, or the module that registers it is missing.
    """
    entry = find_environment(domain.environment).entry_point
    with _as_user_error(domain.environment):
        creator = load_env_creator(entry) if isinstance(entry, str) else entry
    return getattr(creator, "variations_class", None)


def check_variations(domain: DomainSpec, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check values of a domain's variations, and return those that are on.

    An environment that declares none takes the keyword arguments that the domain names. Only their
    names are checked, and all of them are returned.

    Args:
        domain: facts of the domain.
        values: values of variations by name.
        where: the origin of `values`, for the error text.

    Raises:
        UserError: there is no such environment, or the module that registers it is missing.
        ConfigError: the domain has no such variation, or a value has a wrong type or is out of
            range.
    """
    if not values:
        return {}  # without importing the environment
    declared = variations_class(domain)
    if declared is None:
        refuse_unknown(values, domain.variations, where)
        return dict(values)
    return switched_on(checked(declared, values, where))


def make_environment(
    domain: DomainSpec,
    variations: Mapping[str, Any] | None = None,
    *,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Make the environment of a domain, with the domain's T as the time limit.

    An environment that was registered with the keyword argument ``domain`` gets `domain`. The
    attribute `varied` of the made environment, unwrapped, is as in `DomainEnv`; one that does not
    tell what it draws gets the attribute here.

    Args:
        domain: facts of the domain.
        variations: values of the domain's variations by name; the others are off.
        render_mode: as in gymnasium.

    Raises:
        UserError: there is no such environment, or the module that registers it is missing.
        ConfigError: the environment's observations or actions are not the domain's, or a variation
            is unknown or out of range.
    """
    spec = find_environment(domain.environment)
    varied = check_variations(domain, variations or {}, spec.id)
    given: dict[str, Any] = {"domain": domain} if "domain" in spec.kwargs else {}
    with _as_user_error(domain.environment):
        made = gymnasium.make(
            spec.id,
            max_episode_steps=domain.horizon,
            render_mode=render_mode,
            **given,
            **varied,
        )
    bare: Any = made.unwrapped
    if not hasattr(bare, "varied"):
        bare.varied = {"on": varied, "drawn": {}}
    images, actions = made.observation_space, made.action_space
    if not (isinstance(images, spaces.Box) and isinstance(actions, spaces.Box)):
        raise ConfigError(f"the observations and actions of {spec.id} must be of type Box")
    domain.check_spaces(images.shape, actions.low.tolist(), actions.high.tolist())
    return made


@contextlib.contextmanager
def _as_user_error(environment: str) -> Iterator[None]:
    """Turn errors of gymnasium and of imports into a UserError that lists the environments."""
    try:
        yield
    except (gymnasium.error.Error, ImportError) as error:
        known = ", ".join(sorted(name for name in gymnasium.registry if name.startswith("LS3/")))
        raise UserError(f"no environment '{environment}' ({error})", do=f"known: {known}") from None
