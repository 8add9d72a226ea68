"""The signals of a process that a terminal has started."""

import signal

from ls3_common.processes import STOPPING


def as_in_a_terminal() -> None:
    """Take the signals by default, also where these tests run under nohup or in the background.

    For the preexec_fn of subprocess.Popen.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
