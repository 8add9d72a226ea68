"""`ros2`: the commands that this project's documents use; all others are refused by name."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from ros2_standin import NAME, StandinError, __version__, bag, graph, refuse_beside_ros, send, start


class _Parser(argparse.ArgumentParser):
    """Refuses unknown commands and options in one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message:
            word, known = message.split("'")[1], message.partition("choose from ")[2].rstrip(")")
            message = f"'{word}' is not supported by the {NAME} (supported: {known}); install ROS 2"
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and options."""
    top = _Parser(
        prog="ros2",
        description=f"{NAME} {__version__}: the few ros2 commands that this project uses, for a "
        "machine without a ROS install. It is not ROS.",
    )
    top.add_argument("--version", action="version", version=f"{NAME} {__version__} (not ROS)")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in (start, graph, send, bag):
        module.add_commands(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        refuse_beside_ros()
        arguments = parser().parse_args(argv)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except KeyboardInterrupt:
        return int(signal.SIGINT)  # as the real command does
    except BrokenPipeError:  # `ros2 topic echo ... | head`: the reader has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (StandinError, ImportError, OSError) as error:
        print(f"ros2: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
