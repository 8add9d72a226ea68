"""Entry point of `ls3`. Only `ls3 measure` and `ls3 demonstrations` need ROS: they start graphs."""

from __future__ import annotations

import os
import re
import sys

import ls3_models


def main(arguments: list[str] | None = None) -> int:
    """Execute one command and return the exit code, 2 for a user's mistake.

    arguments: words of the command line; by default those of this process.
    """
    ls3_models.let_threads_spin()  # takes effect only before a command imports torch
    from ls3.cli import commands

    words = sys.argv[1:] if arguments is None else arguments
    return commands.run([_with_home(word) for word in words])


def _with_home(word: str) -> str:
    """Replace the tilde in an option such as ``--out=~/x``, which no shell replaces."""
    option = re.fullmatch(r"(--[a-z-]+=)(~.*)", word)
    return option[1] + os.path.expanduser(option[2]) if option else word


if __name__ == "__main__":
    sys.exit(main())
