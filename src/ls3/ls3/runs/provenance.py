"""Where figures come from: the command and the commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path


def command_line() -> str:
    """The `ls3` command at work, or the launch that started this node."""
    launch = os.environ.get("LS3_LAUNCH_COMMAND")
    return launch if launch and "--ros-args" in sys.argv else shlex.join(["ls3", *sys.argv[1:]])


def git_commit() -> str:
    """Commit of the source tree, '' outside one, with a '+' where files differ from it."""
    try:
        here = Path(__file__).resolve().parent
        run = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commits(earlier: str = "") -> str:
    """Those who worked on it before, and the commit at work: 'a, b', each once."""
    return ", ".join(dict.fromkeys([*filter(None, earlier.split(", ")), git_commit()]))
