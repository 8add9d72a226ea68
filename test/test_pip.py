"""The learning side installs with pip alone and runs where there is no ROS at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = [pytest.mark.background, pytest.mark.timeout(600)]  # pip builds every wheel, twice

ROOT = Path(__file__).parents[1]
# Debian 12's pip, the last that may fall back to `setup.py install`, and that of Python 3.11.9
PIPS = ("23.0.1", "24.0")

ROS_IMPORT = re.compile(
    r"^(from|import) (rclpy|launch|launch_ros|(builtin|ls3)_interfaces|\w+_msgs)\b", re.MULTILINE
)
# Importing ROS fails in every Python that imports this.
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


def packages_of_readme() -> tuple[str, ...]:
    """The packages that README installs by `pip install ./src/...`."""
    command = re.search(r"^pip install((?: \./src/\w+)+)$", (ROOT / "README.md").read_text(), re.M)
    assert command, "README has no line `pip install ./src/...`"
    return tuple(Path(folder).name for folder in command[1].split())


PACKAGES = packages_of_readme()


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment in `folder`, as one would who has activated it."""
    environment |= {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the installations below would download."""
    folder = tmp_path_factory.mktemp("wheels")
    pyproject = (ROOT / "src" / "ls3_common" / "pyproject.toml").read_text()
    [required] = re.findall(r'^requires = \["([^"]+)"\]$', pyproject, re.MULTILINE)
    for requirement in (required, *(f"pip=={version}" for version in PIPS)):
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, requirement]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, in which an earlier build has left a module that is gone by now."""
    folder = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        ignore = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "test")
        shutil.copytree(ROOT / "src" / name, folder / name, ignore=ignore)
    stale = folder / "ls3_common" / "build" / "lib" / "ls3_common" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    return folder


@pytest.fixture(scope="module", params=PIPS)
def venv(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    wheels: Path,
    sources: Path,
) -> Path:
    """A virtual environment, without `wheel`, into which its pip has installed the packages."""
    folder = tmp_path_factory.mktemp(f"pip_{request.param}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    options = ["--quiet", f"pip=={request.param}"]
    subprocess.run([*pip, "install", *options], env=os.environ | offline, check=True)

    before = files_below(sources)
    folders = [str(sources / name) for name in PACKAGES]
    result = run(folder, "pip", "install", "--no-deps", *folders, **offline)
    assert result.returncode == 0, result.stderr
    assert files_below(sources) == before, "pip has left something in the sources"

    # The dependencies, which are large, are those of the Python that runs the tests.
    shared = [
        path
        for path in sys.path
        if path.endswith("dist-packages")
        or (path.startswith(sys.prefix) and path.endswith("site-packages"))
    ]
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (packages / "no_ros.py").write_text(NO_ROS)
    (packages / "shared.pth").write_text("\n".join([*shared, "import no_ros", ""]))
    return folder


def test_ros_cannot_be_imported_here(venv: Path) -> None:
    assert "no ROS here: rclpy" in run(venv, "python", "-c", "import rclpy").stderr


def test_command_line_is_on_path(venv: Path) -> None:
    result = run(venv, "ls3", "--help")
    assert result.returncode == 0, result.stderr
    for command in ("collect", "train", "learn", "evaluate"):
        assert command in result.stdout


def test_each_package_that_another_requires_is_installed(venv: Path) -> None:
    script = """
import re, sys
from importlib import metadata
for name in sys.argv[1:]:
    for requirement in metadata.requires(name) or []:
        if "extra ==" not in requirement:
            metadata.version(re.match(r"[\\w.-]+", requirement)[0])
"""
    result = run(venv, "python", "-c", script, *PACKAGES)
    assert result.returncode == 0, result.stderr


def test_module_of_an_earlier_build_is_not_installed(venv: Path) -> None:
    result = run(venv, "python", "-c", "import ls3_common.stale")
    assert "No module named 'ls3_common.stale'" in result.stderr


def test_modules_without_ros_import(venv: Path) -> None:
    """All modules but nodes, launches, and what these share."""
    modules = []
    for package in PACKAGES:
        [top] = venv.glob(f"lib/python3*/site-packages/{package}")
        for path in sorted(top.rglob("*.py")):
            if not ROS_IMPORT.search(path.read_text()) and path.stem != "__main__":
                parts = path.relative_to(top.parent).with_suffix("").parts
                modules.append(".".join(parts).removesuffix(".__init__"))
    assert len(modules) > 2 * len(PACKAGES)
    script = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    result = run(venv, "python", "-c", script, *modules)
    assert result.returncode == 0, result.stderr


def test_environment_is_known_to_gymnasium(venv: Path) -> None:
    script = """
import gymnasium, ls3_sim
print(ls3_sim.__file__)
environment = gymnasium.make("LS3/CableRouting-v0")
observation, info = environment.reset(seed=0)
print(observation.shape, environment.action_space.shape)
"""
    result = run(venv, "python", "-c", script, MUJOCO_GL=os.environ.get("MUJOCO_GL", "egl"))
    assert result.returncode == 0, result.stderr
    where, shapes = result.stdout.splitlines()
    assert Path(where).is_relative_to(venv)
    assert shapes == "(64, 64, 1) (2,)"
