"""Sections of parameter files in every form that ROS allows: we read what the node reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from ls3_common.errors import ConfigError
from ls3_common.parameter_files import last_section, read_facts, read_node, read_section

pytestmark = pytest.mark.background

FORMS = {
    "full name": "/lab/probe: {ros__parameters: {gain: 1.0}}",
    "nested": "lab:\n  probe: {ros__parameters: {gain: 1.0}}",
    "nested twice": "/**:\n  lab:\n    probe: {ros__parameters: {gain: 1.0}}",
    "nested in all": "/**:\n  probe: {ros__parameters: {gain: 1.0}}",
    "with slashes": "/lab/:\n  probe: {ros__parameters: {gain: 1.0}}",
    "without a slash": "lab/probe: {ros__parameters: {gain: 1.0}}",
    "one name": "/*/probe: {ros__parameters: {gain: 1.0}}",
    "all of a namespace": "/**/probe: {ros__parameters: {}}\n"
    "/lab/*: {ros__parameters: {gain: 1.0}}",
    "for all nodes only": "/**: {ros__parameters: {gain: 1.0}}",
    "for no node": "/other: {ros__parameters: {gain: 1.0}}",
    "later wins": "/lab/probe: {ros__parameters: {gain: 1.0}}\n"
    "/**/probe: {ros__parameters: {gain: 2.0}}",
    "first all, then one": "/**:\n  ros__parameters: {gain: 2.0}\n"
    "  probe: {ros__parameters: {gain: 1.0}}",
    "first one, then all": "/**:\n  probe: {ros__parameters: {gain: 1.0}}\n"
    "  ros__parameters: {gain: 2.0}",
    "a key twice": "/**:\n  ros__parameters: {gain: 1.0}\n"
    "/lab/probe: {ros__parameters: {gain: 3.0}}\n"
    "/**:\n  probe: {ros__parameters: {horizon: 3}}\n/**:\n  ros__parameters: {gain: 2.0}",
    "a parameter twice": "/lab/probe:\n  ros__parameters:\n    limits: {low: 1.0}\n    gain: 1.0\n"
    "    limits: {high: 2.0}\n    gain: 2.0",
    "another namespace": "/**/probe: {ros__parameters: {gain: 1.0}}\n"
    "/other/probe: {ros__parameters: {gain: 2.0}}",
    "another node": "/lab/probe: {ros__parameters: {limits: {low: 1.0}}}\n"
    "/lab/probe2: {ros__parameters: {gain: 2.0}}",
}


def given_by_ros(*files: Path) -> dict[str, Any]:
    """The parameters that ROS gives to the node /lab/probe."""
    context = Context()
    words = [word for file in files for word in ("--params-file", str(file))]
    rclpy.init(args=["--ros-args", *words], context=context)
    node = Node("probe", namespace="/lab", context=context, start_parameter_services=False)
    found = {name: given.value for name, given in node._parameter_overrides.items()}
    node.destroy_node()
    rclpy.shutdown(context=context)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_section_is_what_ros_gives_to_the_node(tmp_path: Path, form: str) -> None:
    """The class: an own reader of another program's format. ROS itself is asked."""
    path = tmp_path / "robot.yaml"
    path.write_text(FORMS[form] + "\n")
    expected = given_by_ros(path)
    assert read_node(path, "probe", "/lab") == expected
    if form != "another namespace":
        assert read_node(path, "probe") == expected


@pytest.mark.parametrize("form", [form for form in FORMS if form != "another namespace"])
def test_a_further_file_overrides_the_section_that_ros_reads_last(
    tmp_path: Path, form: str
) -> None:
    path, change = tmp_path / "robot.yaml", tmp_path / "set.yaml"
    path.write_text(FORMS[form] + "\n")
    change.write_text(f"{last_section(path, 'probe')}: {{ros__parameters: {{gain: 9.0}}}}\n")
    assert given_by_ros(path, change)["gain"] == 9.0


def test_parameters_of_several_namespaces_need_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "robots.yaml"
    path.write_text(
        "left:\n  probe: {ros__parameters: {gain: 1.0}}\n"
        "right:\n  probe: {ros__parameters: {gain: 2.0}}\n"
    )
    with pytest.raises(ConfigError, match="'probe' in several namespaces: /left, /right"):
        read_section(path, "probe")
    assert read_section(path, "probe", "right") == {"gain": 2.0}
    assert read_facts(path) == {}
