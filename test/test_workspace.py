"""The repository itself: packages, links, versions."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from importlib import metadata
from pathlib import Path

import pytest
from source_tree import PACKAGES, PYTHON_PACKAGES, ROOT, normal, setup_argument


def requirements(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def test_colcon_sees_every_package_as_ros() -> None:
    """A package.xml that is not valid makes colcon treat the package as plain Python or CMake."""
    result = subprocess.run(
        ["colcon", "list", "--base-paths", "src"],
        cwd=ROOT,
        env=os.environ | {"COLCON_LOG_PATH": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {name: kind for name, _, kind in map(str.split, result.stdout.splitlines())}
    expected = {
        path.name: "(ros.ament_python)" if path in PYTHON_PACKAGES else "(ros.ament_cmake)"
        for path in PACKAGES
    }
    assert listed == expected
    assert {"ls3_interfaces", "crtk_msgs", "ls3_common"} <= set(listed)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_manifest(package: Path) -> None:
    manifest = ET.parse(package / "package.xml").getroot()
    assert manifest.get("format") == "3"
    assert manifest.findtext("name") == package.name
    assert manifest.findtext("license") == "Apache-2.0"
    assert manifest.findtext("version") == "0.1.0"


@pytest.mark.parametrize("kind", ["launch", "config"])
def test_top_level_links(kind: str) -> None:
    pattern = {"launch": "*.launch.py", "config": "*.yaml"}[kind]
    # of a name that two packages have, the first one's: the other includes it
    real = {path.name: path for path in sorted(ROOT.glob(f"src/*/{kind}/{pattern}"), reverse=True)}
    linked = {path.name: path for path in (ROOT / kind).iterdir() if path.name != "__pycache__"}
    for path in linked.values():
        assert path.is_symlink(), f"{path} is a file of its own"
        assert path.exists(), f"{path} points nowhere"
        assert not os.path.isabs(os.readlink(path))
    assert {name: path.resolve() for name, path in linked.items()} == real, (
        f"link it: ln -s ../src/PACKAGE/{kind}/FILE {kind}/FILE"
    )


def test_every_requirement_has_one_version() -> None:
    pinned: dict[str, list[str]] = {}
    for line in requirements(ROOT / "constraints.txt"):
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; python_version (<|>=) \"3\.11\")?", line), line
        pinned.setdefault(normal(line), []).append(line.partition(";")[2].strip())
    for name, markers in pinned.items():
        assert len(set(markers)) == len(markers), f"{name} is pinned twice"
        assert len(markers) == 1 or "" not in markers, f"{name} is pinned twice"
    for file in ("requirements.txt", "requirements-ros.txt"):
        for name in map(normal, requirements(ROOT / "tools" / file)):
            assert name in pinned, f"{name} of tools/{file} is not in constraints.txt"


@pytest.mark.parametrize("name", ["pip", "setuptools", "wheel"])
def test_venv_has_the_installer_that_is_pinned(name: str) -> None:
    """Not the one that its Python brought."""
    assert f"{name}=={metadata.version(name)}" in requirements(ROOT / "constraints.txt")


def test_pip_builds_every_package_alike() -> None:
    """By pyproject.toml, and outside the sources: test_pip.py tries those that need no ROS."""
    assert len({(path / "pyproject.toml").read_text() for path in PYTHON_PACKAGES}) == 1
    for package in PYTHON_PACKAGES:
        setup = (package / "setup.py").read_text()
        assert 'options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules' in setup, package


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda path: path.name)
def test_what_a_package_requires_is_installed_by_make(package: Path) -> None:
    installed = set(map(normal, requirements(ROOT / "tools" / "requirements.txt")))
    own = {normal(path.name) for path in PACKAGES} | {"setuptools"}
    assert set(map(normal, setup_argument(package, "install_requires"))) <= installed | own


def test_no_file_of_this_repository_names_the_machine_it_was_made_on() -> None:
    listed = subprocess.run(
        ["git", "grep", "-lIE", r"(^|[^[:alnum:]._/])/(home|root|work)/[[:alnum:]]"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode in (0, 1), listed.stderr
    own = str(Path(__file__).relative_to(ROOT))
    assert [name for name in listed.stdout.split() if name != own] == []


def test_top_level_version_of_citation_is_that_of_the_packages() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: 0\.1\.0$", citation, re.MULTILINE)
    assert "CoRL" in citation
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("goal", ["build", "run"])
def test_make_ends_with_what_a_shell_has_to_source(goal: str) -> None:
    recipes = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", goal],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    last = recipes.stdout.splitlines()[-1]
    assert last.startswith("echo ")
    assert "source tools/env.sh" in last


def names_bound_by(statement: ast.stmt) -> list[str]:
    """The tests, fixtures, classes and marks that a statement of a test file defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [t.id for t in statement.targets if isinstance(t, ast.Name)]
    return []


def test_nothing_in_a_test_file_overwrites_what_stands_above() -> None:
    """A second `pytestmark` or a second test of one name would drop the first in silence."""
    twice = []
    for path in [*ROOT.glob("src/*/test/**/*.py"), *ROOT.glob("t*/**/*.py")]:
        for scope in ast.walk(ast.parse(path.read_text())):
            if isinstance(scope, ast.Module | ast.ClassDef):
                names = [name for statement in scope.body for name in names_bound_by(statement)]
                twice += [f"{path.name}: {name}" for name in set(names) if names.count(name) > 1]
    assert twice == []
