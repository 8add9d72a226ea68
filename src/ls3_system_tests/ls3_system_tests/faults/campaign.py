"""Runs combinations of faults, one after the other, on one graph.

Only a killed process is restarted between two combinations. A combination takes this course: the
arm moves; the faults begin; they end after WINDOW_S; every node must answer, and the recorded
episodes must be readable; an operator arms; the arm must move again.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ls3.runs.provenance import git_commit
from ls3_common import ending
from ls3_common.errors import DataError
from ls3_models.episodes import list_episodes, read_episode
from ls3_system_tests.faults import check
from ls3_system_tests.faults.damage import damaged
from ls3_system_tests.faults.kinds import Combination, Fault
from ls3_system_tests.faults.observer import Observer
from ls3_system_tests.faults.processes import Processes, limits

WINDOW_S = 0.8
"""Time from the beginning of the last fault to the end of all."""
ANSWER_S, START_S = 15.0, 90.0
"""Longest times until a process answers: a running process, and one that starts."""
LEAVE_S = ending.DEADLINE_S + 2.0
"""Longest time until a process that was hung up has left."""
RECOVER_S = 45.0
"""Longest time until the arm moves again."""
EPISODE_STEPS = 50


@dataclass
class FaultRow:
    """The record of one combination of faults."""

    index: int
    faults: list[str]
    commit: str
    violations: list[str] = field(default_factory=list)
    """Broken limits (`check.violations`), and damaged models that a node accepted."""
    moves: int = 0
    """Goals sent to the robot between the first fault and the end of all."""
    hold_ms: float | None = None
    """See `check.hold_ms`."""
    rest_ms: float | None = None
    """See `check.rest_ms`."""
    hangs: list[str] = field(default_factory=list)
    """Processes that ended or did not answer, and an episode that did not end."""
    unreadable: list[str] = field(default_factory=list)
    """Errors of recorded episodes that could not be read."""
    episodes: int = 0
    """Recorded episodes, the unreadable ones included."""
    recovered: bool = False
    """Whether the arm moved again."""
    recover_s: float | None = None
    took_s: float = 0.0
    recovered_anew: bool | None = None
    """Whether the arm moved after a restart of the whole graph. The graph is restarted if the arm
    did not recover or something hung; None if neither was so."""


class Campaign:
    """The graph and its observer, as a context manager that starts and ends the processes."""

    def __init__(self, work: Path, model: Path, stopped: Callable[[], bool] = lambda: False):
        """Prepare the graph.

        Args:
            work: folder of parameters, logs and recorded episodes.
            model: the model that encoder and planner use.
            stopped: tells whether the user asked to stop.
        """
        self._model, self._stopped = model, stopped
        self.processes = Processes(work, model)
        self._damaged = damaged(model, work)
        self._observer = Observer()
        self._number = 0
        self._commit = git_commit()
        self._moved = False  # whether the arm moved at the end of the last combination

    def __enter__(self) -> Campaign:
        try:
            self.processes.start_all()
        except BaseException:  # Ctrl-C as well: no started process may be left behind
            self.processes.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.close()
        self._observer.close()

    def ready(self) -> bool:
        """Return whether all nodes answer and the arm moves, after a restart if necessary."""
        for _ in range(2):
            if self._moved:
                return True
            if not self._observer.silent(START_S) and self._moves_again():
                self._observer.take()
                self._moved = True
                return True
            self.restart()
        return False

    def restart(self) -> None:
        """Restart the whole graph."""
        self._moved = False
        self.processes.close()
        self._observer.forget_episode()
        self.processes.start_all()

    def run(self, combination: Combination) -> FaultRow:
        """Begin the faults, end them, and judge what was observed.

        The graph must be `ready`.

        Raises:
            TimeoutError: the injector does not answer.
        """
        names = [fault.name for fault in combination.faults]
        row = FaultRow(combination.index, names, self._commit)
        began = time.monotonic()
        time.sleep(combination.wait)
        onsets, notes = self._break(combination)
        row.violations += notes
        time.sleep(WINDOW_S)
        end = time.time_ns()
        crashed = set(self.processes.ended()) - set(combination.ended)
        row.hangs += self._mend(combination)
        row.hangs += [f"{name} ended by itself" for name in sorted(crashed)]
        for name in sorted(crashed):
            self.processes.start(name)
        patience = START_S if combination.ended or crashed else ANSWER_S
        row.hangs += [f"{name} is silent" for name in self._observer.silent(patience)]
        try:
            if "episode" in combination.ended:
                self._observer.forget_episode()
            else:
                self._observer.end_episode(ANSWER_S)
        except TimeoutError as error:
            row.hangs.append(str(error))
            self._observer.forget_episode()
        mended = time.monotonic()
        row.recovered = self._moved = self._moves_again()
        row.recover_s = round(time.monotonic() - mended, 2)
        self._read_episodes(row)
        seen = self._observer.take()
        row.violations += check.violations(seen, limits(), end)
        row.moves = sum(onsets[0].began <= move.sent <= end for move in seen.moves)
        hold = check.hold_ms(seen, onsets, end, check.arm_lives(combination))
        rest = check.rest_ms(seen, onsets, end)
        row.hold_ms = None if hold is None else round(hold, 1)
        row.rest_ms = None if rest is None else round(rest, 1)
        row.took_s = round(time.monotonic() - began, 2)
        if not row.recovered or row.hangs:
            self.restart()
            row.recovered_anew = self.ready()
        return row

    def _break(self, combination: Combination) -> tuple[list[check.Onset], list[str]]:
        began, active = time.monotonic(), list[str]()
        onsets, notes = [], []
        timed = zip(combination.delays, combination.faults, strict=True)
        for delay, fault in sorted(timed, key=lambda pair: pair[0]):
            time.sleep(max(0.0, began + delay - time.monotonic()))
            onsets.append(check.Onset(fault.demands, time.time_ns()))
            notes += self._begin(fault, active)
        return onsets, notes

    def _begin(self, fault: Fault, active: list[str]) -> list[str]:
        if fault.how == "none":
            return []
        if fault.how == "kill":
            self.processes.signal(fault.node, signal.SIGKILL)
        elif fault.how == "stop":
            self.processes.signal(fault.node, signal.SIGSTOP)
        elif fault.how == "hangup":
            self.processes.signal(fault.node, signal.SIGHUP)
        elif fault.how == "inject":
            active.append(fault.name)
            self._observer.inject(active)
        elif fault.how == "deactivate":
            self._observer.deactivate()
        else:
            return [
                f"{node} took a damaged model: {path.name}"
                for path in self._damaged
                for node in self._observer.load(str(path))
            ]
        return []

    def _mend(self, combination: Combination) -> list[str]:
        """End all faults, and return which of the hung up processes did not leave."""
        self._observer.inject([])
        hangs = []
        for fault in combination.faults:
            if fault.how == "stop":
                self.processes.signal(fault.node, signal.SIGCONT)
            elif fault.how == "hangup" and not self.processes.has_left(fault.node, LEAVE_S):
                hangs.append(f"{fault.node} does not leave")
        for node in combination.ended:
            self.processes.start(node)
        return hangs

    def _moves_again(self) -> bool:
        """Arm and run an episode, as an operator would, until the arm gets a goal and moves."""
        observer, since = self._observer, time.time_ns()
        deadline, asked = time.monotonic() + RECOVER_S, 0.0
        while time.monotonic() < deadline and not self._stopped():
            if observer.last_move > since and observer.last_change > observer.last_move:
                return True
            if not observer.state.ready and time.monotonic() - asked > 0.3:
                observer.arm()
                asked = time.monotonic()
            self._number += 1
            observer.begin_episode(self._number, EPISODE_STEPS)
            time.sleep(0.02)
        return False

    def _read_episodes(self, row: FaultRow) -> None:
        if not self.processes.record.is_dir():
            return
        for path in list_episodes(self.processes.record):
            try:
                row.episodes += 1
                read_episode(path)
                path.unlink()
            except DataError as error:
                row.unreadable.append(str(error))
                path.rename(path.with_suffix(".unreadable"))


def as_dict(row: FaultRow) -> dict[str, Any]:
    """Return a row for JSON, which has no infinity: a hold that never came is "never"."""
    values = asdict(row)
    if row.hold_ms == float("inf"):
        values["hold_ms"] = "never"
    return values
