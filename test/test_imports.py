"""The contracts of import-linter bite, and what they cannot see is checked here."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from source_tree import PYTHON_PACKAGES, ROOT, imported

MODULES = [path / path.name for path in PYTHON_PACKAGES]
"""Folders of the packages' modules."""
LINTER = Path(sys.executable).with_name("lint-imports")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of all packages side by side, with the contracts."""
    directory = tmp_path_factory.mktemp("packages")
    shutil.copy(ROOT / "pyproject.toml", directory)
    ignored = shutil.ignore_patterns("__pycache__", "*.xml", "*.cpp")
    for package in MODULES:
        shutil.copytree(package, directory / package.name, ignore=ignored)
    return directory


@pytest.fixture
def broken(copy: Path) -> Iterator[Callable[..., str]]:
    """What import-linter says of the copy with one import more; the import is taken out again."""
    changed: dict[Path, str] = {}

    def lint(module: str = "", statement: str = "") -> str:
        if module:
            path = copy / (module.replace(".", "/") + ".py")
            changed[path] = path.read_text()
            path.write_text(f"{changed[path]}\n{statement}\n")
        result = subprocess.run(
            [LINTER, "--no-cache"],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == int("BROKEN" in result.stdout), result.stdout + result.stderr
        return result.stdout

    yield lint
    for path, text in changed.items():
        path.write_text(text)


def test_the_packages_as_they_are_keep_every_contract(broken: Callable[..., str]) -> None:
    assert "0 broken" in broken()


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("ls3_common.errors", "import ls3_models", "Packages import downwards"),
        ("ls3_models.config", "import ls3_planner.config", "Packages import downwards"),
        ("ls3_planner.config", "import ls3_sim.psm", "Packages import downwards"),
        ("ls3_episodes.record", "import ls3.runs.domains", "Packages import downwards"),
        ("ls3.runs.domains", "import ls3_system_tests.trace", "Packages import downwards"),
        ("ls3_planner.config", "import dvrk_cable_env.arm.limits", "The planner knows no robot"),
        ("ls3_sim.psm", "import ls3_models.bundle", "The domains know no models"),
        ("ls3_models.config", "import ls3_launch", "Only launch files import ls3_launch"),
        ("ls3_launch.launching", "import ls3_sim.psm", "ls3_launch names nodes and imports none"),
        ("ls3.runs.domains", "import ls3.learning.policy", "Inside ls3"),
        ("ls3.studies.stats", "import ls3.data.data_labels", "Inside ls3"),
        ("dvrk_cable_env.arm.limits", "import dvrk_cable_env.bags.steps", "Inside dvrk_cable_env"),
        ("ls3_planner.config", "import ls3_planner.cem", "No circles"),
        ("ls3_planner.config", "def f():\n    import rclpy", "Only these modules use ROS"),
        ("ls3_models.config", "from ls3_common import ros", "Only these modules use ROS"),
    ],
)
def test_a_forbidden_import_is_reported(
    broken: Callable[..., str], module: str, statement: str, contract: str
) -> None:
    said = broken(module, statement).splitlines()
    assert [line for line in said if line.startswith(contract) and line.endswith("BROKEN")]
    assert [line for line in said if line.startswith(("- ", "- ."))], "the import is named"


def test_launch_files_import_no_node_of_another_package() -> None:
    """They start nodes by name, so that a package need not depend on all that it can start."""
    own = {package.name for package in MODULES}
    found = {
        (path.parts[-3], name.split(".")[0])
        for path in ROOT.glob("src/*/launch/*.py")
        for name in imported(path)
    }
    assert ("ls3_planner", "ls3_launch") in found
    others = {(package, name) for package, name in found if name in own - {package}}
    assert {name for _, name in others} <= {"ls3_launch", "ls3_common"}, others


def makes_profile(call: ast.Call) -> bool:
    """Whether a call makes a QoS profile, or is given a depth in place of one."""
    name = ast.unparse(call.func).rpartition(".")[2]
    depth = any(type(getattr(word, "value", None)) is int for word in call.args)
    return name == "QoSProfile" or (depth and name in ("create_publisher", "create_subscription"))


def test_profiles_of_quality_of_service_are_made_in_one_module() -> None:
    """But for what stands in for programs of others, in tests."""
    files = [*ROOT.glob("src/*/*/**/*.py"), *ROOT.glob("test/**/*.py")]
    made = {
        path.name
        for path in files
        if path.parent.name != "fake_api"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and makes_profile(node)
    }
    assert made == {"qos.py"}
