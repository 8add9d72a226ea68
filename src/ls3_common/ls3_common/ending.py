"""How a process ends: the signals that end it, and a deadline that the kernel keeps. No ROS."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

DEADLINE_S = 10.0
"""Longest time between the closing of a node and the end of its process, wall seconds. Fast DDS can
loop for ever while it destroys a node; nothing in the process can end such a loop."""
_ERRORS = {signal.SIGILL, signal.SIGTRAP, signal.SIGBUS, signal.SIGFPE}
_ERRORS |= {signal.SIGSEGV, signal.SIGSYS}
"""A process sends these to itself, after an error from which it cannot go on."""
_OTHERS = {
    *(signal.SIGKILL, signal.SIGSTOP),  # nobody can handle these
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),  # suspend a process
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),  # do not end a process
}


def ending_signals() -> list[int]:
    """Return every signal from outside that would now end this process without its own code.

    SIGINT and SIGTERM are among them in any case. A signal that the process ignores or handles is
    not, such as SIGHUP under nohup.
    """
    return [
        number
        for number in sorted(signal.valid_signals() - _ERRORS - _OTHERS)
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) == signal.SIG_DFL
    ]


def end_within(seconds: float) -> None:
    """Have the kernel end this process by SIGALRM after `seconds`, whatever the process does then.

    Only the main thread may call this function. The shell reports exit code 142.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End this process like `end_within`, unless the block ends in time."""
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    end_within(seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)
