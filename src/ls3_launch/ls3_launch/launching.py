"""What the launch files share: arguments, checks before anything starts, and what ends a graph."""

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
"""Makes the actions of a graph from the launch arguments' values."""

# what launch itself, or a launch file that includes this one, may have set
FOREIGN = {"launch-prefix", "launch-prefix-filter", "emulate_tty", "log_level"}
FOREIGN |= {"ros_namespace", "ros_remaps", "ros_params", "global_params"}

_locks: list[socket.socket] = []  # held until this process ends


def run_arguments(domain: str) -> list[DeclareLaunchArgument]:
    """The arguments that every domain's launch has."""
    config, models = FindPackageShare("ls3_common"), FindPackageShare("ls3_planner")
    return [
        DeclareLaunchArgument(
            "mode",
            default_value="run",
            choices=["run", "learn"],
            description="run: `episodes` with a trained model; learn: Algorithm 1, an update after "
            "every K episodes, resumed by the same command",
        ),
        DeclareLaunchArgument(
            "episodes",
            default_value="3",
            description="episodes to run, then everything stops; 0: only the graph, "
            "for run_episode",
        ),
        DeclareLaunchArgument(
            "seed", default_value="1000", description="of the first episode; the i-th has seed + i"
        ),
        DeclareLaunchArgument(
            "profile",
            default_value="realtime",
            choices=["paper", "realtime"],
            description="what a plan may cost: Table 3, or what a 2-core CPU holds at control rate",
        ),
        DeclareLaunchArgument(
            "model",
            default_value=PathJoinSubstitution([models, "models", domain]),
            description="directory of the trained models",
        ),
        DeclareLaunchArgument(
            "config",
            default_value=PathJoinSubstitution([config, "config", f"{domain}.yaml"]),
            description="parameter file with every number",
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
            description="mode:=learn: decides every random draw, as `ls3 learn --seed`",
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
            description="mode:=learn: offline data, of `ls3 collect`",
        ),
        DeclareLaunchArgument(
            "offline",
            default_value="",
            description="mode:=learn: run of `ls3 train` to start from; empty: train first",
        ),
        DeclareLaunchArgument(
            "method",
            default_value="ls3",
            description="mode:=learn: what learns, as `ls3 learn --method`; methods that must not "
            "move an arm are refused",
        ),
        DeclareLaunchArgument(
            "updates",
            default_value="0",
            description="mode:=learn: U, after K episodes each; 0: the parameter file's",
        ),
        *launch_network.arguments(),
    ]


def graph(arguments: Sequence[DeclareLaunchArgument], start: Start) -> LaunchDescription:
    """Arguments first, so that `--show-args` finds them, then the checks, then `start`'s actions.

    The launch refuses arguments that it does not have, and a ROS domain in which a graph of this
    stack runs already.
    """

    def check(context: LaunchContext) -> None:
        refuse_unknown(arguments, context.launch_configurations)
        _lock_domain()

    return LaunchDescription(
        [
            *arguments,
            OpaqueFunction(function=check),
            # nodes end with this launch, also when it is killed
            SetEnvironmentVariable("LS3_LAUNCH_PID", str(os.getpid())),
            # what results name as their origin
            SetEnvironmentVariable("LS3_LAUNCH_COMMAND", shlex.join(["ros2", *sys.argv[1:]])),
            SetEnvironmentVariable("PYTHONUNBUFFERED", "1"),
            OpaqueFunction(
                function=lambda context: launch_network.environment(context.launch_configurations)
            ),
            OpaqueFunction(function=lambda context: start(context.launch_configurations)),
        ]
    )


def refuse_unknown(arguments: Sequence[DeclareLaunchArgument], given: Mapping[str, str]) -> None:
    """Refuse arguments that do not exist, which the real launch passes on in silence.

    Raises:
        RuntimeError: names the first of them and those that exist.
    """
    known = {argument.name for argument in arguments}
    unknown = sorted(set(given) - known - FOREIGN)
    if unknown:
        raise RuntimeError(
            f"unknown launch argument '{unknown[0]}'; known are {', '.join(sorted(known))}"
        )


def node(
    given: Mapping[str, str], package: str, executable: str, *parameters: Any, **options: Any
) -> Node:
    """A node named as its executable, with the domain's parameter file."""
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
    """The node that has episodes run, and ends the graph; none where there are none to run.

    `parameters` and `options` are run_node's.

    Raises:
        ConfigError: the parameter file lacks the facts of the domain.
    """
    episodes = number(given, "episodes", int, low=0)
    seed = number(given, "seed", int, low=0)
    updates = number(given, "updates", int, low=0)
    learning_seed = number(given, "learning_seed", int, low=0)
    read_spec(given["config"])  # before anything runs
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
    """Directory of the models; nodes may run elsewhere, so it is absolute."""
    return text(os.path.abspath(given["model"]))


def out(given: Mapping[str, str]) -> str:
    """Directory of what the launch writes, absolute."""
    return os.path.abspath(given["out"])


def watched(nodes: Sequence[Node]) -> list[Any]:
    """The nodes; when one ends all do, and the launch fails unless it was a driver's good end."""
    watches = [RegisterEventHandler(OnProcessExit(target_action=n, on_exit=_ended)) for n in nodes]
    return [*watches, *nodes]


def local_discovery() -> list[SetEnvironmentVariable]:
    """Keep a simulation on this computer unless the user says otherwise."""
    return [SetEnvironmentVariable(*item) for item in launch_network.discovery().items()]


def number(
    given: Mapping[str, str],
    name: str,
    kind: type[int] | type[float],
    low: float,
    high: float = float("inf"),
) -> Any:
    """A launch argument as a number.

    Raises:
        RuntimeError: it is none, or out of range; the text names the argument.
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
    """A parameter that stays a text even where it reads like a number."""
    return ParameterValue(value, value_type=str)


def _lock_domain() -> None:
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    # an abstract socket: one holder in this network namespace, as for DDS, and gone with it
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0ls3_planner.domain.{domain}")
    except OSError:
        raise RuntimeError(
            f"ROS domain {domain} has a running LS3 graph: two in one domain would command each "
            "other's arm. Stop that one, or set another ROS_DOMAIN_ID"
        ) from None
    _locks.append(lock)


def _ended(event: Any, context: LaunchContext) -> EmitEvent | None:
    if context.is_shutdown:
        return None
    if event.process_name.startswith(("run_node", "learn_node")) and event.returncode == 0:
        return EmitEvent(event=Shutdown(reason="all episodes ran"))
    # raised, so that `ros2 launch` itself returns 1
    raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")
