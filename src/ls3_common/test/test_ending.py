"""Which signals count as the end of a process, and how the kernel keeps a deadline."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from terminal_signals import as_in_a_terminal

from ls3_common import ending

pytestmark = pytest.mark.background


def test_every_signal_that_ends_a_process_is_listed() -> None:
    """Asked of the kernel: a process sends itself each signal that is not listed, and lives."""
    program = (
        "import signal\n"
        "from ls3_common import ending\n"
        "listed = set(ending.ending_signals())\n"
        "assert {signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2, signal.SIGXCPU} <= listed\n"
        "excepted = ending._ERRORS | {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP,\n"
        "    signal.SIGTTIN, signal.SIGTTOU}\n"
        "for number in signal.valid_signals() - listed - excepted:\n"
        "    signal.raise_signal(number)\n"
        "print('alive')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        preexec_fn=as_in_a_terminal,
    )
    assert ended.stdout == "alive\n", ended.stderr


def test_a_block_that_ends_in_time_is_forgotten() -> None:
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with ending.deadline(6000.0):
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 5000
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(left, abs=1.0)
    assert signal.getsignal(signal.SIGALRM) == handler
