"""How a command ends: a mistake, a refusal of the system and an interrupt print no traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from ls3_common.errors import UserError
from ls3_common.progress import Interrupted
from ls3_common.system_errors import refused_by_system


def guarded(work: Callable[[], None]) -> int:
    """Call `work` and return the exit code; a user's mistake or an interrupt prints no traceback.

    So does everything that the operating system refuses: a full disk, a file of someone else.
    """
    try:
        work()
        sys.stdout.flush()  # a full disk shows here at the latest
    except UserError as error:
        print(f"ls3: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of the output, such as `head`, has enough
        _give_up_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno is None:
            raise  # a library's own error, not one of the system
        _give_up_output()
        refused = refused_by_system(error)
        print(f"ls3: {refused}", file=sys.stderr)
        return refused.exit_code
    except (Interrupted, KeyboardInterrupt):
        print("ls3: stopped; run the same command again to continue from here", file=sys.stderr)
        return 130
    return 0


def _give_up_output() -> None:
    """Drop output that cannot be written: Python would try again at its end, and print a fault."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
