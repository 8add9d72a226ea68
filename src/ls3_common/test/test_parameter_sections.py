"""Sections of parameter files in every form that ROS allows: we read what the node reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from ls3_common.errors import ConfigError
from ls3_common.parameter_files import read_facts, read_node, read_section

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


@pytest.mark.parametrize("form", FORMS)
def test_a_section_is_what_ros_gives_to_the_node(tmp_path: Path, form: str) -> None:
    """The class: an own reader of another program's format. ROS itself is asked."""
    path = tmp_path / "robot.yaml"
    path.write_text(FORMS[form] + "\n")
    context = Context()
    rclpy.init(args=["--ros-args", "--params-file", str(path)], context=context)
    node = Node("probe", namespace="/lab", context=context, start_parameter_services=False)
    expected = {name: given.value for name, given in node._parameter_overrides.items()}
    node.destroy_node()
    rclpy.shutdown(context=context)
    assert read_node(path, "probe", "/lab") == expected
    if form != "another namespace":
        assert read_node(path, "probe") == expected


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
