"""Runs the list in ``campaign.yaml`` from one commit: every run behind a table or a figure.

A task is one `ls3` command in a process of its own, on one thread and at the lowest priority. Tasks
start in the order of the list, as soon as those are done that they need. A task that is done is not
started again, and one that was cut off continues from where it was.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ls3.runs.provenance import git_commit
from ls3.studies.sweep import COMMAND, SweepPlan, Task
from ls3_common.errors import ConfigError, DataError, UserError
from ls3_common.files import read_json, write_json
from ls3_common.processes import Child
from ls3_common.progress import Bar, Interrupted, StopRequest, bar

STATE = "campaign.json"
"""File of the tasks that are done, in the directory of the runs."""
LOGS = "logs"
"""Directory of the tasks' output, in the directory of the runs."""
LOW = ("nice", "-n", "19", "setpriv", "--pdeathsig", "TERM")
"""What starts a task: it gives way to everything else, and saves and ends if this process dies."""
PATIENCE_S = 120.0
"""How long a task may take to save when it is interrupted."""
POLL_S = 0.2


def read_campaign(path: Path | None = None) -> tuple[list[Task], list[float]]:
    """Read the list from `path`, by default from ``campaign.yaml``.

    Returns:
        The tasks in their order, each after those that it needs, and how many minutes of a core
        each is expected to take.

    Raises:
        ConfigError: the file cannot be read or has another form, or a domain, method, parameter or
            value in it is wrong.
    """
    path = path or Path(__file__).with_name("campaign.yaml")
    tasks: dict[tuple[str, ...], Task] = {}
    minutes: dict[tuple[str, ...], float] = {}
    try:
        document = yaml.safe_load(path.read_text())
        for group in document["groups"]:
            expected = {**document["minutes"], **group.pop("minutes", {})}
            found = _tasks(**group)
            for task in found:  # groups share data and trainings, which are done once
                after = tuple(list(tasks).index(found[index].words) for index in task.after)
                tasks.setdefault(task.words, Task(task.name, task.words, after))
                minutes.setdefault(task.words, float(expected[task.words[0]]))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        do = "write minutes of each command, and groups with domains, methods and seeds"
        raise ConfigError(f"not a campaign: {error}", where=str(path), do=do) from None
    return list(tasks.values()), list(minutes.values())


def _tasks(
    commands: Sequence[str] = (),
    domains: Sequence[str] = (),
    methods: Sequence[str] = (),
    seeds: Sequence[int] = (),
    set: Sequence[str] = (),
    vary: Sequence[str] = (),
    vae: str = "own",
    checkpoints: bool = False,
) -> list[Task]:
    tasks = SweepPlan(domains, methods, seeds, set, vary, vae).tasks()
    for index, task in list(enumerate(tasks)):
        if checkpoints and task.words[0] == "learn":
            words = ["evaluate", "--checkpoints", *_without(task.words[1:], "--offline")]
            tasks.append(Task(f"checkpoints of {task.name}", tuple(words), (index,)))
    return [*tasks, *(Task(text, tuple(shlex.split(text))) for text in commands)]


def _without(words: Sequence[str], option: str) -> list[str]:
    """Leave an option and its value out."""
    at = [index for index, word in enumerate(words) if word == option]
    return [word for index, word in enumerate(words) if index not in {*at, *(i + 1 for i in at)}]


def clean_commit() -> str:
    """Return the commit of the source tree.

    Raises:
        UserError: files differ from the commit, or there is no source tree.
    """
    commit = git_commit()
    if not commit or commit.endswith("+"):
        raise UserError(
            "every figure of a campaign comes from one clean commit, and "
            + (f"files differ from {commit[:-1]}" if commit else "this is no source tree"),
            do="run it in a clean clone: git clone . ../campaign; cd ../campaign; make campaign",
        )
    return commit


@dataclass(frozen=True)
class _Running:
    task: Task
    child: Child
    began: float


class Runner:
    """Runs tasks side by side.

    done: how long each finished task took (s), by its command.
    """

    def __init__(
        self, tasks: Sequence[Task], minutes: Sequence[float], runs: Path, commit: str
    ) -> None:
        """Continue the campaign in `runs`.

        Args:
            tasks: all tasks, each after those that it needs.
            minutes: how long each is expected to take.
            runs: directory of the runs, for the state and for the tasks' output.
            commit: see `clean_commit`.

        Raises:
            DataError: the state is damaged, or the campaign was begun at another commit.
        """
        self._tasks, self._runs, self._commit = tasks, runs, commit
        self._minutes = {
            task.words: max(1, round(long)) for task, long in zip(tasks, minutes, strict=True)
        }
        self._failed: dict[tuple[str, ...], str] = {}
        self._running: list[_Running] = []
        self.done: dict[tuple[str, ...], float] = self._read()

    def run(self, workers: int, gather: Callable[[], object]) -> None:
        """Run all tasks that are not done.

        Args:
            workers: number of tasks at once.
            gather: called after each task that has learned or evaluated checkpoints.

        Raises:
            UserError: a task failed. All tasks that do not need it have run.
            Interrupted: on SIGINT or SIGTERM; the tasks have saved and ended.
        """
        total = sum(self._minutes.values())
        spent = sum(self._minutes[task.words] for task in self._tasks if self._is_done(task))
        with StopRequest() as stop, bar("campaign, minutes", total, spent) as progress:
            try:
                while self._start(workers) or self._running:
                    if stop.requested:
                        raise Interrupted
                    time.sleep(POLL_S)
                    for one in [one for one in self._running if not one.child.alive()]:
                        self._finish(one, progress)
                        if one.task.words[0] in ("learn", "evaluate") and self._is_done(one.task):
                            gather()
            finally:
                self._interrupt()
        if self._failed:
            names = [f"{shlex.join(words)} ({log})" for words, log in self._failed.items()]
            raise UserError(
                f"{len(names)} of {len(self._tasks)} tasks failed: {'; '.join(names)}",
                do="remove the causes, then run the same command again to continue",
            )

    def _is_done(self, task: Task) -> bool:
        return task.words in self.done

    def _start(self, workers: int) -> bool:
        """Start tasks while there is room; return whether one was started."""
        begun = {*self.done, *self._failed, *(one.task.words for one in self._running)}
        started = False
        for task in self._tasks:
            if len(self._running) >= workers:
                break
            needs = [self._tasks[index] for index in task.after]
            if task.words in begun or not all(map(self._is_done, needs)):
                continue
            log = self._log(task)
            log.parent.mkdir(parents=True, exist_ok=True)
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            with log.open("ab") as output:
                child = Child(
                    [*LOW, sys.executable, "-m", COMMAND, *task.words],
                    environment=environment,
                    output=output,
                    errors=output,
                )
            self._running.append(_Running(task, child, time.monotonic()))
            started = True
        return started

    def _interrupt(self) -> None:
        """Let all running tasks save side by side, and end them."""
        deadline = time.monotonic() + PATIENCE_S
        for one in self._running:
            one.child.signal(signal.SIGINT)  # one alone: a second would not let it save
        while any(one.child.alive() for one in self._running) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        for one in self._running:
            one.child.end(0)

    def _finish(self, one: _Running, progress: Bar) -> None:
        self._running.remove(one)
        words, code = one.task.words, one.child.end(0)
        if code:
            self._failed[words] = str(self._log(one.task))
            print(f"failed: {one.task.name}, see {self._log(one.task)}", file=sys.stderr)
            return
        self.done[words] = round(time.monotonic() - one.began)
        self._write()
        progress.advance(f"done: {one.task.name}", self._minutes[words])

    def _log(self, task: Task) -> Path:
        return self._runs / LOGS / f"{self._tasks.index(task):03d}_{task.words[0]}.log"

    def _read(self) -> dict[tuple[str, ...], float]:
        path = self._runs / STATE
        if not path.exists():
            return {}
        state = read_json(path)
        if state.get("commit") != self._commit:
            raise DataError(
                f"this campaign was begun at commit {state.get('commit')}, and here is "
                f"{self._commit}",
                where=str(path),
                do="continue at that commit, or begin a campaign in another directory",
            )
        try:
            return {tuple(shlex.split(text)): seconds for text, seconds in state["done"].items()}
        except (KeyError, AttributeError, ValueError):
            raise DataError(
                "this is no state of a campaign",
                where=str(path),
                do="delete it; tasks that are done are then found so once more",
            ) from None

    def _write(self) -> None:
        done = {shlex.join(words): seconds for words, seconds in self.done.items()}
        write_json(self._runs / STATE, {"commit": self._commit, "done": done})
