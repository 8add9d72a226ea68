"""`ls3`: collect data, train, learn online, evaluate, compare. None of it needs ROS."""

from __future__ import annotations

import sys

import ls3_models


def main(arguments: list[str] | None = None) -> int:
    """Entry point; a user's mistake is one message and exit code 2."""
    ls3_models.let_threads_spin()  # takes effect only before a command imports torch
    from ls3.cli import commands

    return commands.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
