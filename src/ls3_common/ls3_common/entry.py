"""The entry points of node processes. A signal during the slow imports ends a process quietly."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable
from typing import Any


def node(module: str) -> Callable[[], Any]:
    """Return an entry point that imports `module`, which may take seconds, and calls its `main`.

    Ctrl-C at a launch reaches every node. A node that is still importing would print a traceback;
    this entry point lets the signal end the process instead. Until then only the standard library
    is imported.
    """

    def main() -> Any:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        return importlib.import_module(module).main()

    return main
