"""Finds packages, their executables and launch files, as colcon installs them."""

from __future__ import annotations

import os
from pathlib import Path

from ros2_standin import StandinError


def package_prefix(package: str) -> Path:
    """Return the first prefix on AMENT_PREFIX_PATH that contains `package`.

    Raises:
        StandinError: AMENT_PREFIX_PATH is not set, or no prefix contains the package.
    """
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    if not prefixes:
        raise StandinError("AMENT_PREFIX_PATH is not set: source the workspace's setup.bash")
    for prefix in prefixes:
        if Path(prefix, "share/ament_index/resource_index/packages", package).is_file():
            return Path(prefix)
    raise StandinError(f"package '{package}' not found, searching: {prefixes}")


def executable_path(package: str, name: str) -> Path:
    """Return the path of an executable, ``<prefix>/lib/<package>/<name>``.

    Raises:
        StandinError: the package or the executable is not found.
    """
    directory = package_prefix(package) / "lib" / package
    path = directory / name
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise StandinError(
            f"executable '{name}' not found in package '{package}' ({_executables(directory)})"
        )
    return path


def launch_file_path(package: str, name: str) -> Path:
    """Return the launch file of this name in the package's share directory, at any depth.

    Raises:
        StandinError: there is no such file, or more than one.
    """
    share = package_prefix(package) / "share" / package
    found = sorted(share.rglob(name))
    if not found:
        existing = ", ".join(sorted(p.name for p in share.rglob("*.launch.py"))) or "none"
        raise StandinError(
            f"launch file '{name}' was not found in the share directory of package '{package}' "
            f"(launch files there: {existing})"
        )
    if len(found) > 1:
        places = ", ".join(map(str, found))
        raise StandinError(f"file '{name}' was found more than once in '{package}': [{places}]")
    return found[0]


def _executables(directory: Path) -> str:
    names = sorted(p.name for p in directory.glob("*") if os.access(p, os.X_OK))
    return f"executables there: {', '.join(names) or 'none'}"
