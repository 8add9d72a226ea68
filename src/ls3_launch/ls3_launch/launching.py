"""Building blocks of the launch files: arguments, checks before the start, nodes, and the end."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ls3_common.domain import ENVIRONMENT, DomainSpec, read_spec
from ls3_common.errors import ConfigError
from ls3_common.model_facts import read_model_facts, refuse_other_domain
from ls3_common.parameter_files import read_node
from ls3_launch import interrupted, overrides
from ls3_launch import network as launch_network
from ls3_launch.checks import check_arguments, lock_domain, number
from ls3_launch.earlier import set_aside

GOAL_TOLERANCE = 0.002
"""arm_node's tolerance of an arm that does not miss, m."""
Start = Callable[[Mapping[str, str]], Sequence[Any]]
"""Makes the actions of a graph, given the values of the launch arguments."""


def graph(
    arguments: Sequence[DeclareLaunchArgument], start: Start, nodes: Sequence[str] = ()
) -> LaunchDescription:
    """Describe a launch: arguments, which `--show-args` finds, checks, and the actions of `start`.

    Unknown arguments are refused, and so is a ROS domain with a running graph of this stack.
    Arguments that are paths are absolute in `start`. `nodes` names the nodes of the graph whose
    parameters the argument `set` may change.
    """

    def check(context: LaunchContext) -> None:
        check_arguments(arguments, context.launch_configurations)
        overrides.check(context.launch_configurations, nodes)
        lock_domain()

    def begin(context: LaunchContext) -> list[Any]:
        actions = start(context.launch_configurations)  # which refuses wrong arguments
        moved = set_aside(context.launch_configurations)
        return [*([LogInfo(msg=moved)] if moved else []), *actions]

    return LaunchDescription(
        [
            *arguments,
            OpaqueFunction(function=check),
            # by this variable nodes end with the launch, even if the launch is killed
            SetEnvironmentVariable("LS3_LAUNCH_PID", str(os.getpid())),
            # the command is written into results
            SetEnvironmentVariable("LS3_LAUNCH_COMMAND", shlex.join(["ros2", *sys.argv[1:]])),
            SetEnvironmentVariable("PYTHONUNBUFFERED", "1"),
            OpaqueFunction(
                function=lambda context: launch_network.environment(context.launch_configurations)
            ),
            OpaqueFunction(function=begin),
        ]
    )


def node(
    given: Mapping[str, str], package: str, executable: str, *parameters: Any, **options: Any
) -> Node:
    """Describe a node that has the name of its executable and the domain's parameter file."""
    return Node(
        package=package,
        executable=executable,
        name=executable,
        output="screen",
        parameters=[given["config"], *parameters, *overrides.of_node(given, executable)],
        ros_arguments=launch_network.ros_arguments(given, executable),
        **options,
    )


def environment(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the parameters of the node that simulates: the variations in section `environment`.

    Those that the argument `set` changes are changed here.

    Raises:
        ConfigError: the parameter file cannot be read, or a variation has no value.
    """
    values = read_node(given["config"], ENVIRONMENT)
    values |= overrides.changes(given).get(ENVIRONMENT, {})
    for name, value in values.items():
        if value is None:
            raise ConfigError(f"'{name}' has no value", where=f"{given['config']}, {ENVIRONMENT}")
    return [{f"{ENVIRONMENT}.{name}": value for name, value in values.items()}] if values else []


def facts(given: Mapping[str, str]) -> DomainSpec:
    """Read the facts of the domain, as the argument `set` changes them.

    Raises:
        ConfigError: the parameter file lacks them, or one is wrong.
    """
    return read_spec(given["config"], overrides.changes(given).get(overrides.FACTS))


def goal_tolerance(given: Mapping[str, str]) -> dict[str, float]:
    """Return what arm_node needs to accept the end of motions that miss their length by `gain`.

    The arm reports where the tool truly is. By the tolerance of a robot no such motion would end.
    """
    (values,) = environment(given) or ({},)
    gain = values.get(f"{ENVIRONMENT}.gain", 0)
    if not isinstance(gain, int | float) or not gain > 0:  # what is wrong, sim_node refuses
        return {}
    longest = math.sqrt(2) * facts(given).largest_action
    return {"goal_tolerance": GOAL_TOLERANCE + gain * longest}


def driver(given: Mapping[str, str], domain: str, *parameters: Any, **options: Any) -> list[Node]:
    """Describe the node that starts the episodes and ends the graph: run_node or learn_node.

    Args:
        given: the launch arguments.
        domain: name of the domain.
        parameters: further parameters of run_node.
        options: options of run_node, such as remappings.

    Returns:
        The node in a list, which is empty if no episodes are to be run.

    Raises:
        ConfigError: the parameter file lacks the facts of the domain, or has wrong ones.
        DataError: there is no model, or the model is one of another domain.
        RuntimeError: a number among the arguments is out of range, or a directory is missing.
    """
    episodes = number(given, "episodes", int, low=0)
    seed = number(given, "seed", int, low=0)
    updates = number(given, "updates", int, low=0)
    learning_seed = number(given, "learning_seed", int, low=0)
    # a wrong file is refused before anything is started
    spec = facts(given)
    refuse_other_domain(read_model_facts(given["model"]), domain, spec, f"model:={given['model']}")
    if given["mode"] == "learn":
        for name in ("data", "offline"):
            new = not os.path.exists(given["run"])  # a run that goes on may need them no more
            if new and given[name] and not os.path.isdir(given[name]):
                raise RuntimeError(f"{name}:={given[name]} is not a directory")
        paths = {name: text(given[name]) for name in ("run", "data", "config", "offline")}
        settings = {"domain": domain, "method": text(given["method"])}
        settings |= {"seed": learning_seed, "updates": updates}
        if changed := overrides.of_learning(given):  # ROS has no empty list of texts
            settings["set"] = changed
        return [
            Node(
                package="ls3",
                executable="learn_node",
                name="learn_node",
                output="screen",
                parameters=[paths | settings],
                ros_arguments=launch_network.ros_arguments(given, "learn_node"),
            )
        ]
    if not episodes:
        return []
    settings = {"model": text(given["model"]), "episodes": episodes, "seed": seed}
    settings |= {"out": text(given["out"]), "video": given["video"] == "true"}
    return [node(given, "ls3_episodes", "run_node", settings, *parameters, **options)]


def model(given: Mapping[str, str], domain: str) -> dict[str, ParameterValue]:
    """Return the parameters of the nodes that plan with a model: the model and its domain."""
    return {"model": text(given["model"]), "trained_for": text(domain)}


def watched(nodes: Sequence[Node]) -> list[Any]:
    """Return the nodes with handlers by which all end when one ends.

    The launch fails, unless the node that ended is the `driver` with exit code 0.
    """
    watches = [RegisterEventHandler(OnProcessExit(target_action=n, on_exit=_ended)) for n in nodes]
    return [interrupted.handler(), *watches, *nodes]


def local_discovery() -> list[SetEnvironmentVariable]:
    """Restrict a simulation to this computer, unless the user's environment says otherwise."""
    return [SetEnvironmentVariable(*item) for item in launch_network.discovery().items()]


def text(value: str) -> ParameterValue:
    """Make a parameter that ROS takes for a text even if the text is a number."""
    return ParameterValue(value, value_type=str)


def _ended(event: Any, context: LaunchContext) -> EmitEvent | None:
    if context.is_shutdown:
        return None
    if event.process_name.startswith(("run_node", "learn_node")) and event.returncode == 0:
        return EmitEvent(event=Shutdown(reason="all episodes ran"))
    # an exception makes `ros2 launch` itself return 1
    raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")
