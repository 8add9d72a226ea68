"""Packages, their executables and launch files, in the layout that colcon installs."""

from __future__ import annotations

import os
from pathlib import Path

from ros2_standin import StandinError


def package_prefix(package: str) -> Path:
    """The first prefix of AMENT_PREFIX_PATH that has `package`."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    if not prefixes:
        raise StandinError("AMENT_PREFIX_PATH is not set: source the workspace's setup.bash")
    for prefix in prefixes:
        if Path(prefix, "share/ament_index/resource_index/packages", package).is_file():
            return Path(prefix)
    raise StandinError(f"package '{package}' not found, searching: {prefixes}")


def executable_path(package: str, name: str) -> Path:
    """`<prefix>/lib/<package>/<name>`."""
    directory = package_prefix(package) / "lib" / package
    path = directory / name
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise StandinError(
            f"executable '{name}' not found in package '{package}' ({_others(directory)})"
        )
    return path


def launch_file_path(package: str, name: str) -> Path:
    """The file of that name anywhere in the package's share directory."""
    share = package_prefix(package) / "share" / package
    found = sorted(share.rglob(name))
    if not found:
        others = ", ".join(sorted(p.name for p in share.rglob("*.launch.py"))) or "none"
        raise StandinError(
            f"launch file '{name}' was not found in the share directory of package '{package}' "
            f"(launch files there: {others})"
        )
    if len(found) > 1:
        places = ", ".join(map(str, found))
        raise StandinError(f"file '{name}' was found more than once in '{package}': [{places}]")
    return found[0]


def _others(directory: Path) -> str:
    names = sorted(p.name for p in directory.glob("*") if os.access(p, os.X_OK))
    return f"executables there: {', '.join(names) or 'none'}"
