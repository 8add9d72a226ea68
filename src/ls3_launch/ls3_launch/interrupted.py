"""Ctrl-C at a launch is no error: what its processes then log is shown as information."""

from __future__ import annotations

import logging
import re
from typing import Any

from launch.actions import RegisterEventHandler
from launch.event_handlers import OnShutdown

BY_SIGINT = re.compile(r"process has died \[pid (\d+), exit code (-2|130)\b")
"""How launch reports a process that SIGINT ended, at once or after the process had cleaned up."""
PROCESS = re.compile(r".+-\d+")
"""The names of launch's loggers for processes, such as ``run_node-6``."""


def handler() -> RegisterEventHandler:
    """Return a handler that takes effect when the launch shuts down, and sends SIGINT to all."""
    return RegisterEventHandler(OnShutdown(on_shutdown=_shut_down))


def _shut_down(_event: Any, _context: Any) -> None:
    for name in list(logging.root.manager.loggerDict):
        if PROCESS.fullmatch(name):
            logging.getLogger(name).addFilter(_as_information)


def _as_information(record: logging.LogRecord) -> bool:
    found = BY_SIGINT.match(record.getMessage())
    if found:
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        record.msg, record.args = f"process was stopped [pid {found[1]}]", ()
    return True
