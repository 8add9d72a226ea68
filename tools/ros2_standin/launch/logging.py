"""Writes the lines of the launch and of its processes to the screen and to one log file."""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from ros2_standin import StandinError

__all__ = ["get_logger"]


class Where(NamedTuple):
    """Whether a stream goes to the screen, and whether it goes to the log file."""

    screen: bool
    file: bool


# of stdout and stderr, as the real launch defines these words
_DESTINATIONS = {
    "screen": (Where(True, False), Where(True, False)),
    "log": (Where(False, True), Where(True, True)),
    "both": (Where(True, True), Where(True, True)),
}

_file: TextIO | None = None
log_dir: Path | None = None


def destinations(output: str) -> tuple[Where, Where]:
    """Return the destinations of stdout and stderr for the `output` of a process.

    Raises:
        StandinError: the stand-in does not support this `output`.
    """
    output = os.environ.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT", output)
    if output not in _DESTINATIONS:
        supported = ", ".join(_DESTINATIONS)
        raise StandinError(f"output='{output}' is not supported by the stand-in: {supported}")
    return _DESTINATIONS[output]


def write(line: str, where: Where) -> None:
    """Write one line of a process or of the launch."""
    if where.screen:
        try:
            print(line, flush=True)
        except BrokenPipeError:  # `ros2 launch ... | head`: the reader has ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if where.file and _file is not None:
        _file.write(f"{time.time():.7f} {line}\n")
        _file.flush()


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = [record.getMessage()]
        if record.exc_info and logging.getLogger("launch").isEnabledFor(logging.DEBUG):
            lines += traceback.format_exception(*record.exc_info)
        for line in lines:
            write(f"[{record.levelname}] [{record.name}]: {line}", Where(True, True))


def get_logger(name: str = "launch") -> logging.Logger:
    """Return a logger whose lines look like those of the real launch."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(_Handler())
        logger.propagate = False
        logger.setLevel(logging.INFO)
    return logger


def open_log() -> None:
    """Create this launch's log directory under ROS_LOG_DIR, ROS_HOME/log or ~/.ros/log.

    Raises:
        StandinError: the directory cannot be created.
    """
    global _file, log_dir
    home = os.environ.get("ROS_HOME") or "~/.ros"
    base = Path(os.environ.get("ROS_LOG_DIR") or Path(home, "log")).expanduser()
    stamp = datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
    log_dir = base / f"{stamp}-{socket.gethostname()}-{os.getpid()}"
    try:
        log_dir.mkdir(parents=True)
        _file = (log_dir / "launch.log").open("w")
    except OSError as error:
        raise StandinError(f"cannot write the log (ROS_LOG_DIR sets where): {error}") from error
    get_logger().info(f"All log files can be found below {log_dir}")
