"""Files that the packages install beside their code: parameter files, models, an example."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

OWNERS = {"config": "ls3_common", "models": "ls3_planner", "own_task": "ls3"}
"""The package that installs each folder."""


def find_shared(relative: str) -> Path | None:
    """Find an installed file or folder such as ``config/cable_routing.yaml``; None if missing.

    The source tree is searched first, then the ament prefixes, then the Python environment.
    """
    for directory in _share_directories(OWNERS[relative.split("/")[0]]):
        if (directory / relative).exists():
            return directory / relative
    return None


def _share_directories(package: str) -> Iterator[Path]:
    """Yield the folders with the package's installed files; each holds its package.xml."""
    candidates: list[Path] = []
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None:
        top = Path(found.origin).resolve().parents[1]
        candidates += [top, top / "share" / package]  # the second after `pip install --target`
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    candidates += [Path(prefix) / "share" / package for prefix in (*prefixes, sys.prefix) if prefix]
    for directory in candidates:
        if (directory / "package.xml").is_file():
            yield directory
