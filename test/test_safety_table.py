"""What docs/safety.md promises exists: its tests, its parameters; and dvrk.repos."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from dvrk_cable_env.arm.arm import ArmConfig
from ls3_common.parameters import leaves

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "safety.md").read_text()
TABLES = PAGE.partition("<!-- hazards begin -->")[2].partition("<!-- hazards end -->")[0]
ROWS = [
    line.strip("| ").split(" | ")
    for line in TABLES.splitlines()
    if line.startswith("| ") and not line.startswith(("| hazard |", "| --- |"))
]
GUIDES = [(ROOT / "docs" / name).read_text() for name in ("robot.md", "camera.md")]


def functions(path: Path) -> set[str]:
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def file_named(name: str) -> Path:
    (path,) = [*ROOT.glob(f"src/*/test/{name}"), *ROOT.glob(f"test/{name}")]
    return path


def test_the_table_has_rows_of_four() -> None:
    assert len(ROWS) > 15
    assert all(len(row) == 4 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_hazard_names_a_test_that_exists(row: list[str]) -> None:
    first, *others = re.findall(r"`([^`]+)`", row[3])
    file, _, function = first.partition("::")
    assert function.startswith("test_")
    assert function in functions(file_named(file))
    for name in others:
        assert file_named(name).is_file()


def test_each_guard_is_a_parameter_of_arm_node() -> None:
    known = {leaf.name for leaf in leaves(ArmConfig)}
    named = {name for row in ROWS for name in re.findall(r"`((?:limits|guards)\.\w+)`", row[2])}
    assert named <= known
    tested = {name for name in known if name.startswith("guards.")}
    assert tested <= named, "every guard has a row"


def test_each_test_file_that_the_guides_name_exists() -> None:
    names = {name for text in GUIDES for name in re.findall(r"\b(test_\w+\.py)", text)}
    assert names
    for name in names:
        assert file_named(name).is_file()


def test_sources_of_the_dvrk_have_a_fixed_version() -> None:
    sources = yaml.safe_load((ROOT / "dvrk.repos").read_text())["repositories"]
    assert set(sources) == {"dvrk_python", "crtk_python_client", "crtk_msgs"}
    for name, source in sources.items():
        assert source["type"] == "git" and source["url"].endswith(f"/{name}")
        assert re.fullmatch(r"\d+\.\d+\.\d+", source["version"])
    assert "dvrk.repos" in GUIDES[0]
