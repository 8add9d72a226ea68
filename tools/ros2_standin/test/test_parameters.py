"""Python values, substitutions and types in the parameters of a node."""

from __future__ import annotations

from typing import Any

import pytest
from launch import LaunchContext
from launch.substitutions import LaunchConfiguration, TextSubstitution
from launch_ros.actions import join_namespaces
from launch_ros.parameter_descriptions import ParameterValue, evaluate_dict


@pytest.fixture
def context() -> LaunchContext:
    context = LaunchContext()
    context.launch_configurations.update(
        {"three": "3", "truth": "True", "text": "word", "list": "[1, 2]", "map": "{a: 1}", "": ""}
    )
    return context


def configured(name: str) -> LaunchConfiguration:
    return LaunchConfiguration(name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (3, 3),
        (True, True),
        ("3", "3"),
        (configured("three"), 3),
        (configured("truth"), True),
        (configured("text"), "word"),
        (configured("list"), [1, 2]),
        (configured(""), ""),
        ([configured("three"), ".5"], 3.5),
        ((1, 2), [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        (["a", "b"], ["a", "b"]),
        ([[configured("three")], [TextSubstitution(text="4")]], [3, 4]),
        (ParameterValue(configured("three"), value_type=str), "3"),
        (ParameterValue(configured("three"), value_type=float), 3.0),
        (ParameterValue(configured("truth"), value_type=bool), True),
        (ParameterValue(configured("list"), value_type=list[int]), [1, 2]),
        (ParameterValue(configured("three")), 3),
        (ParameterValue("3", value_type=str), "3"),
    ],
)
def test_value(context: LaunchContext, given: Any, expected: Any) -> None:
    value = evaluate_dict(context, {"outer": {("in", configured("three")): given}})
    assert value == {"outer.in3": expected}
    assert type(value["outer.in3"]) is type(expected)


@pytest.mark.parametrize(
    "given",
    [
        configured("map"),
        [],
        [1, "a"],
        None,
        b"bytes",
        ParameterValue(configured("text"), value_type=int),
        ParameterValue(configured("list"), value_type=list[str]),
        ParameterValue("3", value_type=int),
    ],
)
def test_other_values_are_refused(context: LaunchContext, given: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        evaluate_dict(context, {"name": given})


@pytest.mark.parametrize(
    ("base", "namespace", "joined"),
    [
        (None, None, None),
        (None, "a", "/a"),
        ("/a", None, "/a"),
        ("/a", "b", "/a/b"),
        ("/a", "/b", "/b"),
        ("/", "b", "/b"),
        ("/a", "b/", "/a/b"),
        (None, "/", "/"),
    ],
)
def test_namespaces(base: str | None, namespace: str | None, joined: str | None) -> None:
    assert join_namespaces(base, namespace) == joined
