"""Registers the environments with gymnasium, and makes the environment of a domain.

gymnasium 1.x loads no plugins: ``import ls3_sim`` first, or name the module in the id:
``gymnasium.make("ls3_sim:LS3/CableRouting-v0")``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from ls3_common.domain import DomainSpec, load_spec
from ls3_common.errors import UserError
from ls3_sim.task_check import check_task
from ls3_sim.task_spaces import action_faults, image_faults, raised, refuse
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
        UserError: there is no such environment, the module that registers it is missing, or one of
            the two raises an error.
        ConfigError: the environment's observations or actions are not the domain's, or a variation
            is unknown or out of range.
    """
    made = _make(domain, variations, render_mode)
    refuse(made, [*image_faults(made, domain), *action_faults(made, domain)])
    return made


def make_task(
    domain: DomainSpec,
    variations: Mapping[str, Any] | None = None,
    *,
    render_mode: str | None = None,
    kinds: Sequence[str] = (),
) -> gymnasium.Env[Any, Any]:
    """Make an environment to run episodes in: as `make_environment`, and tried by `check_task`.

    kinds: behaviours that are to collect data.

    Raises:
        UserError, ConfigError: as `make_environment`.
        TaskError: as `check_task`.
    """
    made = _make(domain, variations, render_mode)
    check_task(made, domain, kinds=kinds)
    return made


def _make(
    domain: DomainSpec, variations: Mapping[str, Any] | None, render_mode: str | None
) -> gymnasium.Env[Any, Any]:
    spec = find_environment(domain.environment)
    varied = check_variations(domain, variations or {}, spec.id)
    given: dict[str, Any] = {"domain": domain} if "domain" in spec.kwargs else {}
    with _as_user_error(domain.environment):
        made = gymnasium.make(
            spec.id,
            max_episode_steps=domain.horizon,
            render_mode=render_mode,
            disable_env_checker=True,  # check_task says in words what is wrong
            **given,
            **varied,
        )
    bare: Any = made.unwrapped
    if not hasattr(bare, "varied"):
        bare.varied = {"on": varied, "drawn": {}}
    return made


@contextlib.contextmanager
def _as_user_error(environment: str) -> Iterator[None]:
    """Turn errors of gymnasium, of imports and of a user's code into a UserError."""
    module = environment.rpartition(":")[0]
    known = ", ".join(sorted(name for name in gymnasium.registry if name.startswith("LS3/")))
    try:
        yield
    except (UserError, OSError):
        raise
    except ModuleNotFoundError as error:
        do = f"known: {known}"
        if module and error.name == module.partition(".")[0]:
            do = f"name the folder of {error.name}.py: export PYTHONPATH=FOLDER:$PYTHONPATH; {do}"
        raise UserError(f"no environment '{environment}' ({error})", do=do) from None
    except (gymnasium.error.Error, ImportError) as error:
        raise UserError(f"no environment '{environment}' ({error})", do=f"known: {known}") from None
    except Exception as error:
        if environment.startswith("LS3/"):
            raise  # a fault of ours
        raise UserError(
            f"cannot be made: {raised(error)}",
            where=environment,
            do="correct the line that is named",
        ) from None
