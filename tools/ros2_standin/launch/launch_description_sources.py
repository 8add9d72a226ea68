"""Reads launch files."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path

from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitution import SomeSubstitutionsType, resolve
from ros2_standin import StandinError

__all__ = ["PythonLaunchDescriptionSource"]


class PythonLaunchDescriptionSource:
    """A launch file in Python, whose path may contain substitutions."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        self._path = launch_file_path
        self._description: LaunchDescription | None = None

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Load the file and return its description.

        Raises:
            StandinError: the file does not exist or is not a launch file.
        """
        if self._description is None:
            self._description = _load(resolve(context, self._path))
        return self._description

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Return the description; None if the path is only known during the launch."""
        try:
            return self.get_launch_description(LaunchContext())
        except RuntimeError:
            return None


def _load(path: str) -> LaunchDescription:
    if not Path(path).is_file():
        raise StandinError(f"launch file '{path}' does not exist")
    if not path.endswith(".py"):
        raise StandinError(f"'{path}': the stand-in reads launch files in Python only")
    loader = SourceFileLoader("python_launch_file", path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    if not hasattr(module, "generate_launch_description"):
        raise StandinError(f"launch file '{path}' has no generate_launch_description()")
    description = module.generate_launch_description()
    if not isinstance(description, LaunchDescription):
        raise StandinError(f"launch file '{path}' returned {description!r}")
    return description
