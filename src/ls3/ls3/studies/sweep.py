"""Sweeps over domains, methods, parameters and seeds as Ray tasks.

The data are collected once per domain, and LS3 is trained offline once per seed. Every run then
takes over this training (`AgentKind.take_over`) and learns online. An agent that takes nothing over
does all of its own training, and one that only needs an encoder has that of the shipped model. A
task is one `ls3` command in a worker process. If a worker dies, Ray starts its task again, and the
command continues where the run was interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ls3.learning.shared_offline import shares_vae
from ls3.runs.domains import Domain
from ls3.runs.methods import SWEPT, default_run, find_method, load_method
from ls3_common.errors import ConfigError, UserError
from ls3_common.shared import find_shared

COMMAND = "ls3.cli.cli"
"""Module of the `ls3` command. A worker imports it by name, as a shell starts the command."""
VAES = ("own", "first", "shipped")
"""Whose VAE a seed of LS3 has: one of its own, that of the first seed, or that of the model that is
shipped for the domain."""


@dataclass(frozen=True)
class Task:
    """One `ls3` command.

    name: for messages. words: the arguments of `ls3`. after: indices of the tasks that must be done
    before.
    """

    name: str
    words: tuple[str, ...]
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class SweepPlan:
    """What to run: every method and every variant of LS3, on every domain with every seed.

    overrides: changes to all runs, as for ``--set``. vary: ``KEY=VALUE,VALUE``; each value gives a
    variant of LS3 with one parameter changed (section 7.5). vae: whose VAE a seed has, of `VAES`.
    config: parameter file of a single domain; None: each domain's own.
    """

    domains: Sequence[str]
    methods: Sequence[str]
    seeds: Sequence[int]
    overrides: Sequence[str] = ()
    vary: Sequence[str] = ()
    vae: str = "own"
    config: Path | None = None

    def tasks(self) -> list[Task]:
        """Return all tasks; each comes after those that it needs.

        Raises:
            ConfigError: a domain, method, parameter or `vae` is unknown, or a value is out of
                range.
        """
        if self.vae not in VAES:
            raise ConfigError(f"no VAE '{self.vae}'", do=f"write one of {', '.join(VAES)}")
        tasks: list[Task] = []

        def add(name: str, *words: str, after: Sequence[int] = ()) -> int:
            tasks.append(Task(name, words, tuple(after)))
            return len(tasks) - 1

        variants = [(method, list[str]()) for method in self.methods]
        variants += [("ls3", [change]) for text in self.vary for change in _values(text)]
        for name in self.domains:
            common = ["--domain", name, *_options(self.overrides)]
            common += ["--config", str(self.config)] if self.config else []
            base = load_method(name, "ls3", self.config, self.overrides)
            loaded = [self._load(name, *variant) for variant in variants]
            sharing = [
                _takes_over(method, base, domain)
                for (method, _), domain in zip(variants, loaded, strict=True)
            ]
            collected = add(f"collect {name}", "collect", *common)
            offline: dict[int, int] = {}
            for seed in self.seeds if any(sharing) else ():
                words, after = ["train", *common, "--seed", str(seed)], [collected]
                if self.vae == "shipped":
                    words += ["--offline", "shipped"]
                elif self.vae == "first" and offline:
                    words += [
                        "--offline",
                        str(default_run(base, "ls3", self.seeds[0], self.config)),
                    ]
                    after = [offline[self.seeds[0]]]
                offline[seed] = add(f"train {name} seed {seed}", *words, after=after)
            for (method, changes), domain, shares in zip(variants, loaded, sharing, strict=True):
                for seed in self.seeds:
                    run = default_run(domain, method, seed, self.config)
                    words = ["learn", *common, *_options(changes), "--method", method]
                    words += ["--seed", str(seed)]
                    after = [collected]
                    if shares:
                        shared = default_run(base, "ls3", seed, self.config)
                        words += [] if run == shared else ["--offline", str(shared)]
                        after = [offline[seed]]
                    add(f"learn {run}", *words, after=after)
        return tasks

    def _load(self, domain: str, method: str, changes: Iterable[str]) -> Domain:
        return load_method(domain, method, self.config, [*self.overrides, *changes])


def _takes_over(method: str, base: Domain, domain: Domain) -> bool:
    """Whether a method takes over the training of LS3 with the same seed.

    One that only needs an encoder takes that of the model that is shipped for the domain, the same
    for all seeds, if there is one. One whose VAE learns in another way trains its own.

    Args:
        method: name of the method.
        base: the domain of LS3.
        domain: the domain with the method's changes.
    """
    kind = find_method(method).kind
    shipped = kind.needs_model and find_shared(f"models/{domain.name}") is not None
    return (
        kind.take_over is not None
        and not shipped
        and (kind.needs_model or shares_vae(domain.learner, base.learner))
    )


def _values(text: str) -> list[str]:
    """Split e.g. ``planner_node.horizon=1,3`` into one override for each value."""
    key, equals, values = text.partition("=")
    allowed = [f"planner_node.{name}" for name in SWEPT]
    if key not in allowed or not equals:
        raise ConfigError(
            f"'{text}' cannot be varied",
            do=f"write KEY=VALUE,VALUE; KEY is one of {', '.join(allowed)}",
        )
    return [f"{key}={value}" for value in values.split(",")]


def _options(overrides: Iterable[str]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]


def run_task(words: Sequence[str], directory: str, threads: int, *_after: Any) -> None:
    """Execute one `ls3` command in a worker process.

    Args:
        words: the arguments of `ls3`.
        directory: where to execute the command.
        threads: number of PyTorch's threads.
        _after: results of the tasks that had to be done before; only Ray uses them.

    Raises:
        RuntimeError: the command failed; the text is its message.
    """
    os.chdir(directory)
    sys.argv = ["ls3", *words]  # results and models record this command as their origin
    import torch

    torch.set_num_threads(threads)
    messages = io.StringIO()
    with contextlib.redirect_stderr(messages):  # Ray would pass on the last lines too late
        code = importlib.import_module(COMMAND).main(list(words))
    sys.stderr.write(messages.getvalue())
    if code:
        raise RuntimeError(" ".join(messages.getvalue().split()) or f"exit code {code}")


def run(
    tasks: Sequence[Task],
    *,
    address: str | None,
    workers: int | None,
    threads: int,
    retries: int,
    report: Callable[[str], None],
) -> None:
    """Run tasks on this machine, or on a Ray cluster.

    Args:
        tasks: tasks to run, each after those that it needs.
        address: address of a Ray cluster, or None. The machines of a cluster need this software,
            and the present directory under the same path.
        workers: number of parallel tasks on this machine; None: as many as the cores allow.
        threads: number of threads of each task.
        retries: how often a task is started again after its worker died.
        report: called with one line as each task ends.

    Raises:
        UserError: Ray is not installed, the cluster cannot be reached, or a task failed. All tasks
            that do not depend on a failed one have run.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("a sweep needs Ray", do="pip install 'ls3[sweep]'") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {}
    if address is None:  # the object store holds only commands and return values
        count = workers or max(1, (os.cpu_count() or 1) // threads)
        local = {"num_cpus": count * threads, "object_store_memory": 100 * 2**20}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(  # "local" starts a new cluster even if another one runs on this machine
            address or "local", include_dashboard=False, logging_level=logging.WARNING, **local
        )
    except ConnectionError as error:
        raise UserError(
            f"cannot connect to a Ray cluster ({error})",
            where=str(address),
            do="look at `ray status` there; if the cluster uses tokens, set RAY_AUTH_MODE=token",
        ) from None
    try:
        remote = ray.remote(num_cpus=threads, max_retries=retries)(run_task)
        references: list[Any] = []
        for task in tasks:
            needs = [references[index] for index in task.after]
            words = list(task.words)
            references.append(remote.remote(words, str(Path.cwd()), threads, *needs))
        failed = _wait(ray, dict(zip(references, tasks, strict=True)), report)
    finally:
        ray.shutdown()
        # Ray leaves its own handler behind; None: one before that was not set from Python
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(tasks)} tasks failed: {', '.join(failed)}",
            do="remove the causes above, then run the same command again to continue",
        )


def _wait(ray: Any, pending: dict[Any, Task], report: Callable[[str], None]) -> list[str]:
    """Wait for all tasks, and return the names of those that failed."""
    failed: list[str] = []
    while pending:
        (done,), _ = ray.wait(list(pending), num_returns=1)
        task = pending.pop(done)
        try:
            ray.get(done)
            report(f"done: {task.name} ({len(pending)} left)")
        except ray.exceptions.RayError as error:
            failed.append(task.name)
            report(f"failed: {task.name}: {str(error).strip().splitlines()[-1]}")
    return failed
