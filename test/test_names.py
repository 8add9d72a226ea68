"""A name stands for one thing: what a reader finds under it does not depend on the file."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.glob("src/*/*/**/*.py")):
        if "test" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100  # the search finds the classes
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
