"""Finds packages on AMENT_PREFIX_PATH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.substitution import SomeSubstitutionsType, Substitution, describe, resolve
from ros2_standin.packages import package_prefix

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = ["FindPackageShare"]


class FindPackageShare(Substitution):
    """The share directory of a package, as a substitution."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = package

    def describe(self) -> str:
        """Return how `ros2 launch --show-args` shows the substitution."""
        return f"FindPackageShare(pkg={describe(self.package)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the directory.

        Raises:
            StandinError: the package is not found.
        """
        package = resolve(context, self.package)
        return str(package_prefix(package) / "share" / package)
