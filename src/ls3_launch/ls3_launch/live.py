"""The argument `view`: view_node beside a graph, which goes on if view_node ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch.actions import DeclareLaunchArgument
from launch_ros.actions import Node

from ls3_common.parameter_files import read_node
from ls3_launch import network, overrides

VIEW_NODE, FILMING_NODE = "view_node", "run_node"
FILM = "film."
"""Prefix of the parameters that say what the camera's image shows. run_node's section has them."""


def argument() -> DeclareLaunchArgument:
    """Declare the argument."""
    return DeclareLaunchArgument(
        "view",
        default_value="false",
        choices=["true", "false"],
        description="show the running graph on a page of this computer, http://localhost:8420, "
        "with a button that stops the arm",
    )


def settings(given: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return what the parameter file and the argument `set` give a node, by dotted name.

    Raises:
        ConfigError: the parameter file cannot be read.
    """
    return read_node(given["config"], name) | overrides.changes(given).get(name, {})


def nodes(given: Mapping[str, str], *parameters: Any, **options: Any) -> list[Node]:
    """Describe view_node in a list, which is empty without view:=true.

    Args:
        given: the launch arguments; `config` may be empty.
        parameters: further parameters of the node.
        options: further options of the node, such as remappings.

    Raises:
        ConfigError: the parameter file cannot be read.
    """
    if given["view"] != "true":
        return []
    config = given["config"]
    files = [config, *overrides.of_node(given, VIEW_NODE)] if config else []
    film = settings(given, FILMING_NODE) if config else {}
    shown = {name: value for name, value in film.items() if name.startswith(FILM)}
    return [
        Node(
            package="ls3_episodes",
            executable=VIEW_NODE,
            name=VIEW_NODE,
            output="screen",
            parameters=[*([shown] if shown else []), *parameters, *files],
            ros_arguments=network.ros_arguments(given, VIEW_NODE),
            **options,
        )
    ]
