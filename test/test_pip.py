"""The learning side installs with pip alone and runs where there is no ROS at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]
PACKAGES = ("ls3_common", "dvrk_cable_env", "ls3_sim", "ls3_models", "ls3_planner")

pytestmark = pytest.mark.timeout(300)  # pip builds five wheels

ROS_IMPORT = re.compile(
    r"^(from|import) (rclpy|launch|launch_ros|(builtin|ls3)_interfaces|\w+_msgs)\b", re.MULTILINE
)
# Importing ROS fails in every Python that starts with this on its path.
NO_ROS = """
import sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in {"rclpy", "launch", "launch_ros", "ament_index_python"} or top.endswith(
            ("_msgs", "_interfaces", "_srvs")
        ):
            raise ModuleNotFoundError(f"no ROS here: {name}", name=name)

sys.meta_path.insert(0, NoRos())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the packages, and nothing else."""
    folder = tmp_path_factory.mktemp("pip")
    for name in PACKAGES:  # pip leaves build/ behind in what it installs
        ignore = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "test")
        shutil.copytree(ROOT / "src" / name, folder / "src" / name, ignore=ignore)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", folder / "site"]
    sources = [folder / "src" / name for name in PACKAGES]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *sources], check=True)
    (folder / "site" / "sitecustomize.py").write_text(NO_ROS)
    return folder / "site"


def without_ros(site: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AMENT", "COLCON", "ROS_", "CMAKE"))
    }
    environment["PYTHONPATH"] = str(site)
    return subprocess.run(
        [sys.executable, *command],
        cwd=site,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ros_cannot_be_imported_here(site: Path) -> None:
    assert "no ROS here: rclpy" in without_ros(site, "-c", "import rclpy").stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_without_ros_import(site: Path, package: str) -> None:
    """All modules but nodes, launches, and what these share."""
    modules = [
        f"{package}.{path.stem}"
        for path in sorted((site / package).glob("*.py"))
        if not ROS_IMPORT.search(path.read_text()) and not path.stem.startswith("__")
    ]
    assert modules
    script = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    result = without_ros(site, "-c", script, *modules)
    assert result.returncode == 0, result.stderr


def test_command_line(site: Path) -> None:
    result = without_ros(site, str(site / "bin" / "ls3"), "--help")
    assert result.returncode == 0, result.stderr
    for command in ("collect", "train", "learn", "evaluate"):
        assert command in result.stdout


def test_environment_is_known_to_gymnasium(site: Path) -> None:
    script = """
import gymnasium, ls3_sim
print(ls3_sim.__file__)
environment = gymnasium.make("LS3/CableRouting-v0")
observation, info = environment.reset(seed=0)
print(observation.shape, environment.action_space.shape)
"""
    result = without_ros(site, "-c", script)
    assert result.returncode == 0, result.stderr
    where, shapes = result.stdout.splitlines()
    assert Path(where).is_relative_to(site)
    assert shapes == "(64, 64, 1) (2,)"
