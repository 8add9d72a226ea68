"""A second process that ends what a launch started if the launch itself is killed.

It learns the process ids over a pipe. When the pipe closes while some still run, nobody is
left to stop them: they get SIGINT, SIGTERM and SIGKILL in turn, with their whole groups.
It imports nothing of this package, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

STEPS_S = ((signal.SIGINT, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 0.0))


class Guardian:
    """The launch's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C and kill of the launch's group are not for it
        )

    def watch(self, pid: int) -> None:
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}\n")

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # killed by someone: the launch goes on
            os.write(self._process.stdin.fileno(), text.encode())

    def close(self) -> None:
        self._process.communicate()


def _signal(group: int, number: int) -> bool:
    """Whether there was still something to signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
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
