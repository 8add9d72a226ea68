"""The guardian: a second process that ends what a launch started if the launch itself is killed.

The launch reports process ids over a pipe. If the pipe closes while some of them still run, the
guardian sends SIGINT, SIGTERM and SIGKILL in turn to their process groups. The module imports
nothing of this package, so that the guardian starts within milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

STEPS_S = ((signal.SIGINT, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 0.0))
"""The signals, each with the wait after it, s."""


class Guardian:
    """The launch's side: starts the guardian and reports process ids to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # signals to the launch's group must not reach the guardian
        )

    def watch(self, pid: int) -> None:
        """Report a process that has started; it leads a process group."""
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        """Report a process that has ended."""
        self._tell(f"-{pid}\n")

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # if the guardian was killed, the launch goes on
            os.write(self._process.stdin.fileno(), text.encode())

    def close(self) -> None:
        """Close the pipe and wait for the guardian to end."""
        self._process.communicate()


def _signal(group: int, number: int) -> bool:
    """Signal a process group; return whether it still exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Read process ids until the pipe closes, then end what still runs."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for number, wait_s in STEPS_S:
        groups = {group for group in groups if _signal(group, number)}
        end = time.monotonic() + wait_s
        while time.monotonic() < end and any(_signal(group, 0) for group in groups):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
