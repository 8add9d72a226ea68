"""What the packages under src/ import, read from their source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("src/*/package.xml"))
"""Folders of all packages, those of messages included."""
PYTHON_PACKAGES = [path for path in PACKAGES if (path / "setup.py").exists()]


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports: in functions too, and by ``import_module("x")``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (word.value for word in node.args if isinstance(word, ast.Constant))


def top_level(files: Iterable[Path]) -> set[str]:
    """Top-level names of all that the files import."""
    return {name.partition(".")[0] for path in files for name in imported(path)}


def setup_argument(package: Path, name: str) -> list[str]:
    """A literal list, or the lists of a literal dictionary, given to setup() in setup.py."""
    for node in ast.walk(ast.parse((package / "setup.py").read_text())):
        if isinstance(node, ast.keyword) and node.arg == name:
            value = ast.literal_eval(node.value)
            lists = value.values() if isinstance(value, dict) else [value]
            return [item for items in lists for item in items]
    return []


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it, without version, extra or marker."""
    found = re.match(r"[A-Za-z0-9._-]+", name)
    assert found, name
    return re.sub(r"[-_.]+", "-", found[0]).lower()
