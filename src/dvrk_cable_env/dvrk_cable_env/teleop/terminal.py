"""Reads single keys from the terminal of the process, and restores the terminal afterwards."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import sys
import termios
import tty

_OFF = b"\0"  # POSIX's _POSIX_VDISABLE on Linux


class Terminal:
    """Standard input without line buffering and echo, from `open` to `close`.

    Ctrl-C works as always. Ctrl-Z and Ctrl-backslash are switched off meanwhile, because they would
    leave the terminal in this state. `close` may be called at any time and more than once; the
    interpreter also calls it at its end, with an exception or without.
    """

    def __init__(self) -> None:
        self._fd = -1
        self._before: list | None = None

    def open(self) -> str:
        """Switch the terminal to single keys.

        Returns:
            Why that is impossible: there is no terminal, or the process is in its background.
        """
        try:
            fd = sys.stdin.fileno()
            if not os.isatty(fd):
                return "standard input is not a terminal"
            if os.tcgetpgrp(fd) != os.getpgrp():
                return "this process runs in the background of its terminal"
            before = termios.tcgetattr(fd)
        except (AttributeError, OSError, ValueError, termios.error) as error:
            return f"no terminal: {error}"
        atexit.register(self.close)
        self._fd, self._before = fd, before
        tty.setcbreak(fd, termios.TCSANOW)
        termios.tcflush(fd, termios.TCIFLUSH)  # earlier input was not meant for this program
        now = termios.tcgetattr(fd)
        for name in (termios.VSUSP, termios.VQUIT):
            now[6][name] = _OFF
        termios.tcsetattr(fd, termios.TCSANOW, now)
        return ""

    def read(self) -> str:
        """Return what was typed since the last call; do not wait."""
        if self._before is None or not select.select([self._fd], [], [], 0)[0]:
            return ""
        try:
            data = os.read(self._fd, 1024)
        except OSError:
            data = b""
        if not data:  # the terminal has gone
            self.close()
        return data.decode(errors="ignore")

    def close(self) -> None:
        """Restore the terminal."""
        before, self._before = self._before, None
        if before is None:
            return
        # not TCSADRAIN: that would wait for output nobody reads; the terminal may be gone
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, before)
        atexit.unregister(self.close)
