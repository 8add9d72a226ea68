"""Child processes in sessions of their own, which do not outlive the process that starts them."""

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
"""How long an interrupted process may take to end by itself."""
KILL_S = 10.0
"""How long to wait until killed processes have ended, which SIGKILL itself does not await."""
POLL_S = 0.02
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Child:
    """A child process that leads a session of its own.

    Ctrl-C in the terminal does not reach the child; this process forwards it. The caller must
    `end` the child, which `started` does.

    Args:
        command: the program and its arguments.
        environment: all environment variables of the child; by default those of this process.
        output: the child's standard output; by default that of this process.
        errors: the child's standard error; by default that of this process.

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
        """Return whether the child itself has not ended yet; its descendants do not count."""
        if self.process.returncode is not None:
            return False
        # WNOWAIT: the child is not reaped here, so that its id stays its own until `end`
        state = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, state) is None

    def wait(self) -> None:
        """Wait until the child has ended by itself; `end` must still end its descendants."""
        while self.alive():  # a signal just before a blocking wait would not end that wait
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child itself, unless `end` was called."""
        if self.process.returncode is None:
            os.kill(self.process.pid, number)

    def end(self, patience_s: float, hurry: Callable[[], bool] = lambda: False) -> int:
        """Send SIGINT to the child, and later SIGKILL to all that is left of its family.

        The family is the child's process group, and all descendants of the child in any group.

        Args:
            patience_s: longest wait between the two signals (s); 0: kill at once.
            hurry: called during the wait; True ends the wait.

        Returns:
            The exit code, or the negative number of the signal that ended the child.
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
    """Run a child process during the block, and end its family with the block (see `Child`).

    The child is ended however the block ends. If a signal of STOPPING would end this process at
    once, it raises SystemExit instead. A signal that arrives while the child is being started or
    ended is acted upon afterwards, so that no child is lost; during the ending it also shortens the
    wait.

    Args:
        command: the program and its arguments.
        environment: all environment variables of the child; by default those of this process.
        output: the child's standard output; by default that of this process.
        errors: the child's standard error; by default that of this process.
        patience_s: how long the interrupted child may take to end by itself (s).

    Raises:
        UserError: there is no such program.
    """
    with _Signals() as signals:
        child = Child(command, environment=environment, output=output, errors=errors)
        try:
            try:
                signals.act()
                yield child
            finally:  # the last place at which a signal may raise
                signals.acting = False
        finally:
            child.end(patience_s, hurry=lambda: bool(signals.noted))


def launch(
    command: Sequence[str], environment: Mapping[str, str], patience_s: float = PATIENCE_S
) -> None:
    """Run a command to its end, and interrupt it when this process receives SIGINT or SIGTERM.

    The command's output goes to standard error.

    Raises:
        Interrupted: SIGINT or SIGTERM arrived; no child process is left behind.
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
    """Stores the signals that would stop this process until `act`, and then acts upon them.

    To act is to call the handler that was installed before. If there was none, the process ends
    with an exception instead of at once. Only the main thread receives signals, so in other threads
    this class does nothing.
    """

    def __init__(self) -> None:
        self.acting = False
        self.noted: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                before = signal.getsignal(number)
                # A background job ignores SIGINT, but its children must not, for `end` interrupts
                # them by SIGINT. A signal with a handler here has its default effect in a child.
                if before is not None and (before != signal.SIG_IGN or number == signal.SIGINT):
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def act(self) -> None:
        """Act upon the stored signals now, and upon later signals as they come."""
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
    """Find the running processes in a process's group and its descendants, with their start times.

    The process itself is left out. It must not have been reaped, so that its id is still its own.
    The result is empty on systems without /proc.
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
    """Return the processes of a family, given with their start times, that still run."""
    return [process for process, began in family.items() if _began(process) == began]


def _began(process: int) -> str:
    """Return a process's start time, '' if it has ended. A reused id has another start time."""
    fields = _stat(process)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on: state, parent, group and so on."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
