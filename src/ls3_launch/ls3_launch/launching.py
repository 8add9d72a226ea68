"""Building blocks of the launch files: arguments, checks before the start, nodes, and the end."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from ls3_common.domain import read_spec
from ls3_launch import network as launch_network

Start = Callable[[Mapping[str, str]], Sequence[Any]]
"""Makes the actions of a graph, given the values of the launch arguments."""

# arguments that launch itself, or a launch file that includes this one, may have set
FOREIGN = {"launch-prefix", "launch-prefix-filter", "emulate_tty", "log_level"}
FOREIGN |= {"ros_namespace", "ros_remaps", "ros_params", "global_params"}

_locks: list[socket.socket] = []  # held until this process ends


def run_arguments(domain: str) -> list[DeclareLaunchArgument]:
    """Declare the arguments that the launch files of all domains have."""
    config, models = FindPackageShare("ls3_common"), FindPackageShare("ls3_planner")
    return [
        DeclareLaunchArgument(
            "mode",
            default_value="run",
            choices=["run", "learn"],
            description="run: `episodes` with a trained model; learn: Algorithm 1, an update after "
            "every K episodes; the same command continues an interrupted run",
        ),
        DeclareLaunchArgument(
            "episodes",
            default_value="3",
            description="number of episodes, after which everything stops; 0: none, the graph "
            "waits for the action run_episode",
        ),
        DeclareLaunchArgument(
            "seed",
            default_value="1000",
            description="seed of the first episode; each further episode has the next seed",
        ),
        DeclareLaunchArgument(
            "profile",
            default_value="realtime",
            choices=["paper", "realtime"],
            description="size of the planner: that of Table 3, or real time on a 2-core CPU",
        ),
        DeclareLaunchArgument(
            "model",
            default_value=PathJoinSubstitution([models, "models", domain]),
            description="directory of the trained models",
        ),
        DeclareLaunchArgument(
            "config",
            default_value=PathJoinSubstitution([config, "config", f"{domain}.yaml"]),
            description="parameter file of the domain and its nodes",
        ),
        DeclareLaunchArgument(
            "out",
            default_value=os.path.join("out", domain),
            description="directory of summary.json, episodes.mp4 and the episode files",
        ),
        DeclareLaunchArgument(
            "video",
            default_value="true",
            choices=["true", "false"],
            description="write episodes.mp4",
        ),
        DeclareLaunchArgument(
            "learning_seed",
            default_value="0",
            description="mode:=learn: seed of all random draws, as `ls3 learn --seed`",
        ),
        DeclareLaunchArgument(
            "run",
            default_value=[
                os.path.join("runs", domain, "through_graph", "seed_"),
                LaunchConfiguration("learning_seed"),
            ],
            description="mode:=learn: directory of the learning run",
        ),
        DeclareLaunchArgument(
            "data",
            default_value=os.path.join("data", domain),
            description="mode:=learn: directory of the offline data, from `ls3 collect`",
        ),
        DeclareLaunchArgument(
            "offline",
            default_value="",
            description="mode:=learn: run of `ls3 train` to start from; empty: train first",
        ),
        DeclareLaunchArgument(
            "method",
            default_value="ls3",
            description="mode:=learn: method of learning, as `ls3 learn --method`; methods that "
            "must not move an arm are refused",
        ),
        DeclareLaunchArgument(
            "updates",
            default_value="0",
            description="mode:=learn: U, the number of updates, each after K episodes; 0: that of "
            "the parameter file",
        ),
        *launch_network.arguments(),
    ]


def graph(arguments: Sequence[DeclareLaunchArgument], start: Start) -> LaunchDescription:
    """Describe a launch: arguments, which `--show-args` finds, checks, and the actions of `start`.

    Unknown arguments are refused, and so is a ROS domain with a running graph of this stack.
    """

    def check(context: LaunchContext) -> None:
        refuse_unknown(arguments, context.launch_configurations)
        _lock_domain()

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
            OpaqueFunction(function=lambda context: start(context.launch_configurations)),
        ]
    )


def refuse_unknown(arguments: Sequence[DeclareLaunchArgument], given: Mapping[str, str]) -> None:
    """Refuse arguments that do not exist, which launch itself would silently ignore.

    Raises:
        RuntimeError: an argument does not exist; the text names it and the arguments that exist.
    """
    known = {argument.name for argument in arguments}
    unknown = sorted(set(given) - known - FOREIGN)
    if unknown:
        raise RuntimeError(
            f"unknown launch argument '{unknown[0]}'; the arguments are {', '.join(sorted(known))}"
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
        parameters=[given["config"], *parameters],
        ros_arguments=launch_network.ros_arguments(given, executable),
        **options,
    )


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
        RuntimeError: a number among the arguments is out of range.
    """
    episodes = number(given, "episodes", int, low=0)
    seed = number(given, "seed", int, low=0)
    updates = number(given, "updates", int, low=0)
    learning_seed = number(given, "learning_seed", int, low=0)
    read_spec(given["config"])  # refuses a wrong file before anything is started
    if given["mode"] == "learn":
        paths = {name: text(os.path.abspath(given[name])) for name in ("run", "data", "config")}
        offline = os.path.abspath(given["offline"]) if given["offline"] else ""
        settings = {"domain": domain, "method": text(given["method"])}
        settings |= {"seed": learning_seed, "updates": updates}
        return [
            Node(
                package="ls3",
                executable="learn_node",
                name="learn_node",
                output="screen",
                parameters=[paths | settings | {"offline": text(offline)}],
                ros_arguments=launch_network.ros_arguments(given, "learn_node"),
            )
        ]
    if not episodes:
        return []
    settings = {"model": model(given), "episodes": episodes, "seed": seed}
    settings |= {"out": text(out(given)), "video": given["video"] == "true"}
    return [node(given, "ls3_episodes", "run_node", settings, *parameters, **options)]


def model(given: Mapping[str, str]) -> ParameterValue:
    """Return the directory of the models as an absolute path, as nodes may run elsewhere."""
    return text(os.path.abspath(given["model"]))


def out(given: Mapping[str, str]) -> str:
    """Return the directory of the launch's results as an absolute path."""
    return os.path.abspath(given["out"])


def watched(nodes: Sequence[Node]) -> list[Any]:
    """Return the nodes with handlers by which all end when one ends.

    The launch fails, unless the node that ended is the `driver` with exit code 0.
    """
    watches = [RegisterEventHandler(OnProcessExit(target_action=n, on_exit=_ended)) for n in nodes]
    return [*watches, *nodes]


def local_discovery() -> list[SetEnvironmentVariable]:
    """Restrict a simulation to this computer, unless the user's environment says otherwise."""
    return [SetEnvironmentVariable(*item) for item in launch_network.discovery().items()]


def number(
    given: Mapping[str, str],
    name: str,
    kind: type[int] | type[float],
    low: float,
    high: float = float("inf"),
) -> Any:
    """Return a launch argument as a number in [low, high].

    Raises:
        RuntimeError: the argument is not such a number; the text names argument and range.
    """
    try:
        value = kind(given[name])
    except ValueError:
        value = None
    if value is None or not low <= value <= high or value == float("inf"):
        what = "a whole number" if kind is int else "a number"
        limits = f">= {low}" if high == float("inf") else f"in [{low}, {high}]"
        raise RuntimeError(f"launch argument {name}:={given[name]} is not {what} {limits}")
    return value


def text(value: str) -> ParameterValue:
    """Make a parameter that ROS takes for a text even if the text is a number."""
    return ParameterValue(value, value_type=str)


def _lock_domain() -> None:
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    # an abstract socket has one holder in a network namespace, like DDS, and ends with it
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0ls3_planner.domain.{domain}")
    except OSError:
        raise RuntimeError(
            f"ROS domain {domain} has a running LS3 graph: two graphs in one domain would command "
            "each other's arm. Stop the other graph, or set another ROS_DOMAIN_ID"
        ) from None
    _locks.append(lock)


def _ended(event: Any, context: LaunchContext) -> EmitEvent | None:
    if context.is_shutdown:
        return None
    if event.process_name.startswith(("run_node", "learn_node")) and event.returncode == 0:
        return EmitEvent(event=Shutdown(reason="all episodes ran"))
    # an exception makes `ros2 launch` itself return 1
    raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")
