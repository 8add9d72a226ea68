"""The results of an earlier run in the same directory are set aside before a run begins."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ls3_common.system_errors import refused_by_system

RESULTS = ("summary.json", "episodes.mp4", "episodes")
"""What a run writes into `out`."""
FOLDER = "earlier"


def set_aside(given: Mapping[str, str]) -> str:
    """Move what an earlier run left in `out` to ``<out>/earlier/<its time>``, and say so.

    Learning continues a run, so that nothing is moved with mode:=learn.

    Returns:
        A line for the user; empty if nothing was moved.

    Raises:
        DataError: the system refuses to move the files.
    """
    if given.get("mode") != "run":
        return ""
    out = Path(given["out"])
    found = [out / name for name in RESULTS if (out / name).exists()]
    if not found:
        return ""
    last = max(path.stat().st_mtime for path in found)
    name = time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(last))
    place = out / FOLDER / name
    number = 1
    while place.exists():
        number += 1
        place = out / FOLDER / f"{name}_{number}"
    try:
        place.mkdir(parents=True)
        for path in found:
            path.rename(place / path.name)
    except OSError as error:
        raise refused_by_system(error) from None
    return f"the results of an earlier run are now in {place}"
