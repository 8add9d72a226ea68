"""The provenance of figures: the command, the commit, the machine and the time."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any


def command_line() -> str:
    """Return the `ls3` command of this process, or the launch command that started this node."""
    launch = os.environ.get("LS3_LAUNCH_COMMAND")
    return launch if launch and "--ros-args" in sys.argv else shlex.join(["ls3", *sys.argv[1:]])


def git_commit() -> str:
    """Return the commit of the source tree, with a '+' if files differ; '' outside a tree.

    Files below results/ and docs/ do not count: commands that measure write them.
    """
    here = ["git", "-C", str(Path(__file__).resolve().parent)]
    paths = [":(top)", ":(top,exclude)results", ":(top,exclude)docs"]
    try:
        run = [*here, "rev-parse", "--short=12", "HEAD"]
        commit = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
        same = subprocess.run([*here, "diff", "--quiet", "HEAD", "--", *paths], check=False)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit if same.returncode == 0 else f"{commit}+"


def commits(earlier: str = "") -> str:
    """Return `earlier`, a list such as 'a, b', with the present commit appended if it is new."""
    return ", ".join(dict.fromkeys([*filter(None, earlier.split(", ")), git_commit()]))


def machine() -> dict[str, Any]:
    """Describe the machine: `cpu`, `cores` and `python`."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that decide results, as far as they are installed."""
    found = {}
    for name in ("ls3", "torch", "numpy", "mujoco", "gymnasium"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def now() -> str:
    """Return the UTC time, e.g. 2026-01-31T12:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
