"""How the processes of nodes begin: quietly ended by a signal until there is something to end."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable
from typing import Any


def node(module: str) -> Callable[[], Any]:
    """Entry point that imports `module`, which may take seconds, and calls its `main`.

    Ctrl-C at a launch reaches every node, and each that still imports would print a traceback.
    Only the standard library is imported before that is prevented.
    """

    def main() -> Any:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        return importlib.import_module(module).main()

    return main
