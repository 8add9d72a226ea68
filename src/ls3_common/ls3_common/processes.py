"""Processes that are started in sessions of their own and do not outlive who started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ls3_common.errors import UserError
from ls3_common.progress import Interrupted, StopRequest

PATIENCE_S = 20.0
"""Longest time in which a process that was interrupted may end by itself."""
KILL_S = 10.0
"""Longest wait for killed processes to be gone: SIGKILL returns before they are."""
POLL_S = 0.02
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A process that leads a session of its own, so that Ctrl-C reaches it through us alone.

    Whoever makes one must `end` it; `started` does so.

    Args:
        command: the program and its arguments.
        environment: all of its variables; by default those of this process.
        output: where its standard output goes; by default where that of this process goes.
        errors: the same for its standard error.

    Raises:
        UserError: there is no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        output: IO | None = None,
        errors: IO | None = None,
    ) -> None:
        try:
            self.process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=errors, start_new_session=True
            )
        except FileNotFoundError:
            raise UserError(
                f"there is no `{command[0]}` command",
                do="source tools/env.sh, or ROS 2 and the workspace",
            ) from None

    def alive(self) -> bool:
        """Whether the process itself has not ended yet."""
        if self.process.returncode is not None:
            return False
        # looked at and not taken: until `end` its number is given to no other process
        state = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, state) is None

    def wait(self) -> None:
        """Until the process has ended by itself; `end` still has to see to what it has left."""
        while self.alive():  # a signal that comes just before a blocking wait would not end it
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it has not been ended."""
        if self.process.returncode is None:
            os.kill(self.process.pid, number)

    def end(self, patience_s: float, hurry: Callable[[], bool] = lambda: False) -> int:
        """SIGINT for the process, and after a while SIGKILL for all that is left of its family.

        The family is the process's group, and all processes below it in whatever group.

        Args:
            patience_s: how long to wait in between, in seconds; 0: kill at once.
            hurry: asked while waiting; True ends the wait.

        Returns the exit code, which is negative where a signal ended the process.
        """
        if self.process.returncode is not None:
            return int(self.process.returncode)
        family = _family(self.process.pid)
        try:
            if patience_s > 0:
                self.signal(signal.SIGINT)
            deadline = time.monotonic() + patience_s
            while self.alive() or _running(family):
                if time.monotonic() > deadline or hurry():
                    break
                time.sleep(POLL_S)
                family |= _family(self.process.pid)
        finally:
            family |= _family(self.process.pid)
            for one in (self.process.pid, *_running(family)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            code = self.process.wait()
            deadline = time.monotonic() + KILL_S
            while _running(family) and time.monotonic() < deadline:
                time.sleep(POLL_S)
        return code


@contextmanager
def started(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO | None = None,
    errors: IO | None = None,
    patience_s: float = PATIENCE_S,
) -> Iterator[Child]:
    """A process that runs with the block, see `Child`; it is ended with it, however that ends.

    Where SIGTERM or SIGHUP would end this process at once, they raise SystemExit instead. No signal
    is acted upon while the process is started or ended, so that it cannot be lost; a further one
    while it is ended makes that quick. Processes below are ended too, in whatever session they are.

    Raises:
        UserError: there is no such program.
    """
    with _Signals() as signals:
        child = Child(command, environment=environment, output=output, errors=errors)
        try:
            try:
                signals.act()
                yield child
            finally:  # one more signal may raise here, and no further one below
                signals.acting = False
        finally:
            child.end(patience_s, hurry=lambda: bool(signals.noted))


def launch(
    command: Sequence[str], environment: Mapping[str, str], patience_s: float = PATIENCE_S
) -> None:
    """Run a process to its end, or stop it in order when this process is to stop.

    What it prints goes to standard error.

    Raises:
        Interrupted: after SIGINT or SIGTERM; no process is left behind.
        UserError: there is no such program.
    """
    with (
        StopRequest() as stop,
        started(
            command, environment=environment, output=sys.stderr, patience_s=patience_s
        ) as child,
    ):
        while child.alive():
            if stop.requested:
                raise Interrupted
            time.sleep(POLL_S)


class _Signals:
    """Notes the signals that would stop this process, or acts upon them, as is asked for.

    To act is to do what was done before, except that no signal ends the process without an
    exception. Only the main thread receives signals, so elsewhere there is nothing to do.
    """

    def __init__(self) -> None:
        self.acting = False
        self.noted: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                before = signal.getsignal(number)
                # A background job ignores SIGINT. What it starts must not: we interrupt by that.
                # (A signal that has a handler here is at its default in a program started here.)
                if before is not None and (before != signal.SIG_IGN or number == signal.SIGINT):
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def act(self) -> None:
        """Act upon what was noted, and from now on at once."""
        self.acting = True
        while self.noted:
            self._handle(self.noted.pop(0), None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if before == signal.SIG_IGN:
            return
        if not self.acting:
            self.noted.append(number)
        elif callable(before):
            before(number, frame)
        else:
            raise SystemExit(128 + number)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        stopping = kind and issubclass(kind, KeyboardInterrupt | SystemExit | Interrupted)
        if self.noted and not stopping:
            signal.raise_signal(self.noted[0])


def _family(process: int) -> dict[int, str]:
    """Running processes of a process's group and below it, with the time at which each began.

    The process itself is left out. It must not have been waited for, so that its number is still
    its own. Empty where there is no /proc.
    """
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields:
            _state, parent, group = fields[:3]
            for above in {int(parent), *([process] if int(group) == process else [])}:
                children.setdefault(above, []).append(int(path.name))
    found: dict[int, str] = {process: ""}
    todo = [process]
    while todo:
        for one in children.get(todo.pop(), []):
            if one not in found:
                found[one] = _began(one)
                todo.append(one)
    return {one: began for one, began in found.items() if began}


def _running(family: Mapping[int, str]) -> list[int]:
    """Those that still run, of processes and the times at which they began."""
    return [process for process, began in family.items() if _began(process) == began]


def _began(process: int) -> str:
    """When a process began, '' for one that has ended: two of a number differ in that."""
    fields = _stat(process)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _stat(process: int) -> list[str]:
    """State, parent and what else Linux tells of a process, from the third field on."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
