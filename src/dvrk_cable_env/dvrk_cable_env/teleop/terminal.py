"""Single keys of the terminal that a process runs in, and the terminal as it was afterwards."""

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
    """Standard input without lines and echo, from `open` to `close`; Ctrl-C stays Ctrl-C.

    Ctrl-Z and Ctrl-backslash mean nothing meanwhile: they would leave the terminal as it is now.
    `close` may be called at any time and as often as one likes, and is called at the end of the
    interpreter, with an exception or without.
    """

    def __init__(self) -> None:
        self._fd = -1
        self._before: list | None = None

    def open(self) -> str:
        """Returns why it cannot be: there is no terminal, or it is another's."""
        try:
            fd = sys.stdin.fileno()
            if not os.isatty(fd):
                return "standard input is no terminal"
            if os.tcgetpgrp(fd) != os.getpgrp():
                return "this process runs in the background of its terminal"
            before = termios.tcgetattr(fd)
        except (AttributeError, OSError, ValueError, termios.error) as error:
            return f"no terminal: {error}"
        atexit.register(self.close)
        self._fd, self._before = fd, before
        tty.setcbreak(fd, termios.TCSANOW)
        termios.tcflush(fd, termios.TCIFLUSH)  # what was typed before was not meant for this
        now = termios.tcgetattr(fd)
        for name in (termios.VSUSP, termios.VQUIT):
            now[6][name] = _OFF
        termios.tcsetattr(fd, termios.TCSANOW, now)
        return ""

    def read(self) -> str:
        """What was typed since the last call, without waiting."""
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
        """Put the terminal back as it was."""
        before, self._before = self._before, None
        if before is None:
            return
        # not TCSADRAIN: output that nobody reads would hang it; the terminal may have gone
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, before)
        atexit.unregister(self.close)
