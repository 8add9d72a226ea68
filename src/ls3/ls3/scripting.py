"""What `import ls3` offers to a script: the same work as the `ls3` commands, by the same code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ls3_models

if TYPE_CHECKING:
    import gymnasium

    from ls3.learning.trained_agent import TrainedAgent

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Learned:
    """A finished run of `learn`.

    Attributes:
        model: directory of the model, for `load`.
        curve: one mapping per online episode, as in ``curve.jsonl``: `episode`, `phase`, `success`,
            `violation`, `steps`, `total_reward`, and the agent's own counts.
        rates: `episodes`, `success_rate` and `violation_rate` over all of these episodes.
    """

    model: Path
    curve: list[dict[str, Any]]
    rates: dict[str, float]


def load(
    domain: str,
    model: StrPath | None = None,
    *,
    config: StrPath | None = None,
    overrides: Iterable[str] = (),
    seed: int = 0,
) -> TrainedAgent:
    """Load a trained model of LS3 with the planner of its domain.

    Args:
        domain: name of the task, such as ``navigation``.
        model: directory of the model; by default the model shipped for the domain.
        config: parameter file; by default ``config/<domain>.yaml``.
        overrides: changed parameters, such as ``["planner_node.horizon=3"]``.
        seed: of the planner's random numbers.

    Raises:
        ConfigError: there is no such domain or parameter, or a value is out of range.
        DataError: there is no model, or it is damaged or one of another domain.
    """
    ls3_models.let_threads_spin()  # takes effect only before torch is imported
    from ls3.learning.model_files import load_given_or_shipped
    from ls3.learning.trained_agent import TrainedAgent
    from ls3.runs.domains import load_domain

    read = load_domain(domain, _path(config), overrides)
    return TrainedAgent(read, load_given_or_shipped(_path(model), read), seed)


def make_env(
    domain: str,
    *,
    variations: Mapping[str, Any] | None = None,
    config: StrPath | None = None,
    overrides: Iterable[str] = (),
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Make the gymnasium environment of a domain, with the domain's T as the time limit.

    Args:
        domain: name of the task.
        variations: what varies in its episodes, by name (docs/training.md); by default what the
            parameter file switches on.
        config: parameter file; by default ``config/<domain>.yaml``.
        overrides: changed parameters, as in `load`.
        render_mode: as in gymnasium.

    Raises:
        ConfigError: as `load`, or the environment's observations or actions are not the domain's.
        UserError: there is no such environment, or the module that registers it is missing.
    """
    from ls3.runs.domains import load_domain
    from ls3_sim.registration import make_environment

    read = load_domain(domain, _path(config), overrides)
    chosen = read.variations if variations is None else variations
    return make_environment(read.spec, chosen, render_mode=render_mode)


def collect(
    domain: str,
    *,
    data: StrPath | None = None,
    config: StrPath | None = None,
    overrides: Iterable[str] = (),
    seed: int = 0,
) -> Path:
    """Collect the episodes that the data directory lacks, as `ls3 collect`.

    Args:
        domain: name of the task.
        data: directory of the episodes; by default ``data/<domain>``.
        config: as in `load`.
        overrides: as in `load`.
        seed: of all random numbers.

    Returns:
        The directory of the episodes.

    Raises:
        UserError: as `ls3 collect` refuses.
        Interrupted: on SIGINT or SIGTERM; the episodes so far are kept.
    """
    from ls3.cli.commands import Collect

    command = Collect(
        domain=domain, data=_path(data), config=_path(config), set=list(overrides), seed=seed
    )
    command.execute()
    return command.data_directory


def learn(
    domain: str,
    *,
    run: StrPath | None = None,
    data: StrPath | None = None,
    offline: StrPath | None = None,
    method: str = "ls3",
    config: StrPath | None = None,
    overrides: Iterable[str] = (),
    seed: int = 0,
    workers: int = 1,
) -> Learned:
    """Run all of Algorithm 1, as `ls3 learn`; the same call continues an interrupted run.

    Args:
        domain: name of the task.
        run: directory of the run; by default ``runs/<domain>/<method>/seed_<seed>``.
        data: directory of the episodes that `collect` made; by default ``data/<domain>``.
        offline: another run, or a model, whose offline training is reused.
        method: the method of learning.
        config: as in `load`.
        overrides: as in `load`.
        seed: of all random numbers.
        workers: number of processes that run episodes at once.

    Raises:
        UserError: as `ls3 learn` refuses.
        Interrupted: on SIGINT or SIGTERM; the run is kept.
    """
    ls3_models.let_threads_spin()
    from ls3.cli.commands import Learn
    from ls3.learning.curve import training_rates

    command = Learn(
        domain=domain,
        run=_path(run),
        data=_path(data),
        offline=_path(offline),
        method=method,
        config=_path(config),
        set=list(overrides),
        seed=seed,
        workers=workers,
    )
    online = command.in_process()
    model = command.run_directory(command.load()) / "model"
    return Learned(model, online.curve(), training_rates(online.rows))


def _path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path).expanduser()
