"""A name stands for one thing: what a reader finds under it does not depend on the file."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

ROOT = Path(__file__).parents[1]


def _classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for path in sorted(ROOT.glob("src/*/*/**/*.py")):
        if "test" not in path.relative_to(ROOT).parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield str(path.relative_to(ROOT)), node


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, found in _classes():
        places[found.name].append(path)
    assert len(places) > 100  # the search finds the classes
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


NODES = {"Node", "LifecycleNode"}


def test_no_node_gives_a_name_of_rclpys_node_another_meaning() -> None:
    """A node whose `_parameters` was its own ended when anybody asked for a parameter."""
    import rclpy
    from rclpy.lifecycle import LifecycleNode

    context = rclpy.Context()
    rclpy.init(context=context)
    node = LifecycleNode("names", context=context)
    taken = set(vars(node)) | set(dir(node))
    node.destroy_node()
    context.try_shutdown()
    assert {"_parameters", "_publishers", "get_name"} <= taken
    found = [(p, c) for p, c in _classes() if NODES & {ast.unparse(base) for base in c.bases}]
    assert len(found) > 10  # the search finds the nodes
    assert [f"{p}: {c.name}.{name}" for p, c in found for name in _own_names(c) & taken] == []


def _own_names(node: ast.ClassDef) -> set[str]:
    """Names that a class gives to its attributes, and to those methods that are not documented
    to be overridden."""
    names = {
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and ast.unparse(target.value) == "self"
    }
    methods = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return names | {name for name in methods if not name.startswith(("__", "on_"))}
