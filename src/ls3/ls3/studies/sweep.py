"""Sweeps over domains, methods, parameters and seeds as Ray tasks.

Per domain the data are collected once, and per seed LS3's offline training is done once. Then every
run learns online from it (`AgentKind.take_over`), or does all of its own training where its agent
takes nothing over. A task is one `ls3` command in a worker process. Ray
runs a task again whose worker has died; the command then goes on where the run stands.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ls3.runs.domains import Domain
from ls3.runs.methods import SWEPT, default_run, find_method, load_method
from ls3_common.errors import ConfigError, UserError

COMMAND = "ls3.cli.cli"
"""The module of the `ls3` command. A worker starts the module by name, as a shell would."""


@dataclass(frozen=True)
class Task:
    """One `ls3` command; `after` are the indices of the tasks that it needs."""

    name: str
    words: tuple[str, ...]
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class SweepPlan:
    """What to run. `vary` changes LS3 by one parameter at a time, as section 7.5 does."""

    domains: Sequence[str]
    methods: Sequence[str]
    seeds: Sequence[int]
    overrides: Sequence[str] = ()
    vary: Sequence[str] = ()
    one_vae: bool = False

    def tasks(self) -> list[Task]:
        """All tasks, each after those it needs.

        Raises:
            ConfigError: an unknown domain, method or parameter, or a value out of range.
        """
        tasks: list[Task] = []

        def add(name: str, *words: str, after: Sequence[int] = ()) -> int:
            tasks.append(Task(name, words, tuple(after)))
            return len(tasks) - 1

        variants = [(method, list[str]()) for method in self.methods]
        variants += [("ls3", [change]) for text in self.vary for change in _values(text)]
        for name in self.domains:
            common = ["--domain", name, *_options(self.overrides)]
            base = load_method(name, "ls3", overrides=self.overrides)
            loaded = [self._load(name, *variant) for variant in variants]
            sharing = {m for m, _ in variants if find_method(m).kind.take_over is not None}
            collected = add(f"collect {name}", "collect", *common)
            offline: dict[int, int] = {}
            for seed in self.seeds if sharing else ():
                share, after = list[str](), [collected]
                if self.one_vae and offline:
                    share = ["--offline", str(default_run(base, "ls3", self.seeds[0]))]
                    after = [offline[self.seeds[0]]]
                words = ["train", *common, "--seed", str(seed), *share]
                offline[seed] = add(f"train {name} seed {seed}", *words, after=after)
            for (method, changes), domain in zip(variants, loaded, strict=True):
                for seed in self.seeds:
                    run = default_run(domain, method, seed)
                    words = ["learn", *common, *_options(changes), "--method", method]
                    words += ["--seed", str(seed)]
                    after = [collected]
                    if method in sharing:
                        shared = default_run(base, "ls3", seed)
                        words += [] if run == shared else ["--offline", str(shared)]
                        after = [offline[seed]]
                    add(f"learn {run}", *words, after=after)
        return tasks

    def _load(self, domain: str, method: str, changes: Iterable[str]) -> Domain:
        return load_method(domain, method, overrides=[*self.overrides, *changes])


def _values(text: str) -> list[str]:
    """``planner_node.horizon=1,3`` as one override for each value."""
    key, equals, values = text.partition("=")
    allowed = [f"planner_node.{name}" for name in SWEPT]
    if key not in allowed or not equals:
        raise ConfigError(
            f"'{text}' cannot be varied", do=f"write KEY=VALUE,VALUE with KEY of {allowed}"
        )
    return [f"{key}={value}" for value in values.split(",")]


def _options(overrides: Iterable[str]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]


def run_task(words: Sequence[str], directory: str, threads: int, *_after: Any) -> None:
    """In a worker: one `ls3` command, called in the sweep's directory.

    Raises:
        RuntimeError: the command failed, with its message.
    """
    os.chdir(directory)
    sys.argv = ["ls3", *words]  # the command that results and models are said to come from
    import torch

    torch.set_num_threads(threads)
    messages = io.StringIO()
    with contextlib.redirect_stderr(messages):  # Ray passes a dying worker's lines on too late
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
    """Run tasks on this machine, or on the Ray cluster at `address`.

    A cluster's machines need this software and the present directory under the same path.

    Raises:
        UserError: Ray is not installed, its cluster cannot be reached, or tasks have failed; the
            others have been run.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("a sweep needs Ray", do="pip install 'ls3[sweep]'") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {}
    if address is None:  # little goes through Ray's memory: commands, and whether they are done
        count = workers or max(1, (os.cpu_count() or 1) // threads)
        local = {"num_cpus": count * threads, "object_store_memory": 100 * 2**20}
    try:
        ray.init(  # "local" is a new one, whatever else runs here
            address or "local", include_dashboard=False, logging_level=logging.WARNING, **local
        )
    except ConnectionError as error:
        raise UserError(
            f"no Ray cluster to connect to ({error})",
            where=str(address),
            do="look at `ray status` there; a cluster with tokens wants RAY_AUTH_MODE=token",
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
    if failed:
        raise UserError(
            f"{len(failed)} of {len(tasks)} tasks failed: {', '.join(failed)}",
            do="mend what they complain of; the same command goes on with what is missing",
        )


def _wait(ray: Any, pending: dict[Any, Task], report: Callable[[str], None]) -> list[str]:
    """Names of the tasks that failed, once all have ended."""
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
