"""package.xml and setup.py declare what is imported, all of it and nothing else.

What a launch file or a command only names is started if it is installed, and is no dependency:
ls3_planner's launch files start nodes of packages that depend on ls3_planner.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from source_tree import PACKAGES, PYTHON_PACKAGES, normal, setup_argument, top_level

pytestmark = pytest.mark.background

OWN = {path.name for path in PACKAGES}
ROS = {"rclpy", "launch", "launch_ros", "ament_index_python"}
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "cv2": "python3-opencv",
    "h5py": "python3-h5py",
    "hypothesis": "python3-hypothesis",
    "imageio": "python3-imageio",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "pytest": "python3-pytest",
    "rich": "python3-rich",
    "yaml": "python3-yaml",
}
"""Modules that rosdep installs; what else is no ROS package comes from setup.py alone."""
DISTRIBUTIONS = {
    "OpenGL": "pyopengl",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "yaml": "pyyaml",
}
"""Modules whose distribution has another name."""
NOT_IMPORTED = {
    ("dvrk_cable_env", "ros2bag"): "the recording's launch file calls it",
    ("dvrk_cable_env", "rosbag2-storage-mcap"): "and has it write this format",
    ("ls3_models", "tensorboard"): "torch.utils.tensorboard imports it",
}
"""Declared, and needed without an import."""
NOT_DECLARED = {
    ("ls3_planner", "ls3"): "of its tests, and ls3 depends on it: that would be a circle",
    ("ls3_sim", "glfw"): "mujoco brings it",
}
"""Imported, and not declared."""


def manifest(package: Path, *tags: str) -> set[str]:
    root = ET.parse(package / "package.xml").getroot()
    return {element.text for element in root if element.tag in tags and element.text}


def rosdep_keys(package: Path, pattern: str) -> set[str]:
    """Keys of all that the files import, as package.xml names them."""
    found = set()
    for name in top_level(package.glob(pattern)) - {package.name}:
        if name in OWN | ROS or name.endswith(("_msgs", "_interfaces", "_srvs")):
            found.add(name)
        elif name in ROSDEP_KEYS:
            found.add(ROSDEP_KEYS[name])
    return {name for name in found if (package.name, name) not in NOT_DECLARED}


def needed(package: Path, names: set[str]) -> set[str]:
    return {name for name in names if (package.name, normal(name)) not in NOT_IMPORTED}


def third(module: str) -> bool:
    """Neither Python's own nor of ROS."""
    messages = module.endswith(("_msgs", "_interfaces", "_srvs"))
    return module not in sys.stdlib_module_names | ROS and not messages


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda path: path.name)
def test_the_manifest_declares_what_is_imported(package: Path) -> None:
    code = rosdep_keys(package, f"{package.name}/**/*.py") | rosdep_keys(package, "launch/*.py")
    assert needed(package, manifest(package, "depend", "exec_depend")) == code
    tests = rosdep_keys(package, "test/**/*.py") | {"python3-pytest"}
    assert needed(package, manifest(package, "test_depend")) == tests - code


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda path: path.name)
def test_setup_requires_what_is_imported(package: Path) -> None:
    """Without ROS, whose packages pip does not have."""
    required = [*setup_argument(package, "install_requires")]
    required += setup_argument(package, "extras_require")
    modules = top_level(package.glob(f"{package.name}/**/*.py")) - {package.name}
    names = {normal(DISTRIBUTIONS.get(module, module)) for module in modules if third(module)}
    declared = needed(package, set(map(normal, required)) - {"setuptools"})
    assert declared == {name for name in names if (package.name, name) not in NOT_DECLARED}


def test_every_exception_is_one() -> None:
    for package in PYTHON_PACKAGES:
        declared = manifest(package, "depend", "exec_depend", "test_depend")
        declared |= set(setup_argument(package, "install_requires"))
        for exempt, name in NOT_IMPORTED:
            assert exempt != package.name or name in map(normal, declared), (exempt, name)
        for exempt, name in NOT_DECLARED:
            assert exempt != package.name or name in top_level(package.rglob("*.py"))
