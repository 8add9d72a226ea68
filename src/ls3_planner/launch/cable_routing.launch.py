"""Cable routing: camera, segmentation, encoder, planner, arm and episodes, simulated or real.

    ros2 launch ls3_planner cable_routing.launch.py episodes:=5
    ros2 launch ls3_planner cable_routing.launch.py sim:=false episodes:=0 config:=my_robot.yaml

`--show-args` lists the arguments.
"""

import os
import socket

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import EnvironmentVariable, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("ls3_planner")

ARGUMENTS = [
    DeclareLaunchArgument(
        "sim",
        default_value="true",
        choices=["true", "false"],
        description="true: MuJoCo instead of camera and robot, and its clock for who reads one",
    ),
    DeclareLaunchArgument(
        "episodes",
        default_value="3",
        description="episodes to run, then everything stops; 0: only the graph, for run_episode",
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
        default_value=PathJoinSubstitution([SHARE, "models", "cable_routing"]),
        description="directory of the trained models",
    ),
    DeclareLaunchArgument(
        "config",
        default_value=PathJoinSubstitution([SHARE, "config", "cable_routing.yaml"]),
        description="parameter file with every number",
    ),
    DeclareLaunchArgument(
        "real_time_factor",
        default_value="2.0",
        description="simulated seconds per second of wall time; 1.0 as a robot would",
    ),
    DeclareLaunchArgument(
        "out",
        default_value=os.path.join("out", "cable_routing"),
        description="directory of summary.json, episodes.mp4 and the episode files",
    ),
    DeclareLaunchArgument(
        "video", default_value="true", choices=["true", "false"], description="write episodes.mp4"
    ),
    DeclareLaunchArgument("arm", default_value="PSM1", description="CRTK name of the arm"),
]

# what launch itself, or a launch file that includes this one, may have set
FOREIGN = {"launch-prefix", "launch-prefix-filter", "emulate_tty", "log_level"}
FOREIGN |= {"ros_namespace", "ros_remaps", "ros_params", "global_params"}

# What the arm's limits become in a simulation, in seconds of wall time. Stamps are judged by the
# simulation's clock, which waits for nobody and may run faster, and a busy computer hurts no one.
# On a robot the arm's own, strict, defaults hold.
SIM_LIMITS_S = {
    "limits.max_image_age": 30.0,
    "limits.max_state_age": 2.0,
    "limits.max_clock_skew": 1.0,
    "motion_timeout": 6.0,
}
SIM_SILENCE = {"limits.max_silence": 10.0}  # judged by the wall

locks = []  # held until this process ends


def generate_launch_description():
    """Arguments first, so that `--show-args` finds them, then the checks, then the nodes."""
    variables = [
        # nodes end with this launch, also when it is killed
        SetEnvironmentVariable("LS3_LAUNCH_PID", str(os.getpid())),
        SetEnvironmentVariable("PYTHONUNBUFFERED", "1"),
    ]
    return LaunchDescription(
        [*ARGUMENTS, OpaqueFunction(function=check), *variables, OpaqueFunction(function=start)]
    )


def check(context):
    """Refuse arguments that do not exist, and a domain in which this graph runs already."""
    known = {argument.name for argument in ARGUMENTS}
    unknown = sorted(set(context.launch_configurations) - known - FOREIGN)
    if unknown:
        raise RuntimeError(
            f"unknown launch argument '{unknown[0]}'; known are {', '.join(sorted(known))}"
        )
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
    locks.append(lock)


def start(context):
    """The nodes, and what their end means."""
    given = context.launch_configurations
    sim = given["sim"] == "true"
    episodes = number(given, "episodes", int, low=0)
    seed = number(given, "seed", int, low=0)
    factor = number(given, "real_time_factor", float, low=0.01, high=10.0)
    model, out = text(os.path.abspath(given["model"])), os.path.abspath(given["out"])
    arm = text(given["arm"])
    # Only two nodes read a clock. At 100 messages a simulated second it costs each of the others
    # as much as its work, on a computer that has a planner to feed.
    clock = {"use_sim_time": sim}

    def node(package, executable, *parameters):
        return Node(
            package=package,
            executable=executable,
            name=executable,
            output="screen",
            parameters=[given["config"], *parameters],
        )

    arm_settings = {"arm": arm, "auto_enable": sim}
    if sim:
        arm_settings |= {name: value * factor for name, value in SIM_LIMITS_S.items()}
        arm_settings |= SIM_SILENCE
    nodes = [
        node("dvrk_cable_env", "segmentation_node", {"publish_task_state": not sim}),
        node("ls3_models", "encoder_node", {"model": model}),
        node("ls3_planner", "planner_node", {"model": model, "profile": given["profile"]}),
        node("dvrk_cable_env", "arm_node", clock, arm_settings),
        node("ls3_planner", "episode_node", clock, {"record": text(os.path.join(out, "episodes"))}),
    ]
    if sim:
        nodes.insert(0, node("ls3_sim", "sim_node", {"real_time_factor": factor, "arm": arm}))
    if episodes:
        run = {"model": model, "episodes": episodes, "seed": seed, "out": text(out)}
        run |= {"video": given["video"] == "true", "arm": arm}
        nodes.append(node("ls3_planner", "run_node", run))
    watches = [RegisterEventHandler(OnProcessExit(target_action=n, on_exit=ended)) for n in nodes]
    return [*(local_discovery() if sim else []), *watches, *nodes]


def ended(event, context):
    """When one node ends all do; an error where it was not run_node after its last episode."""
    if context.is_shutdown:
        return None
    if event.process_name.startswith("run_node") and event.returncode == 0:
        return EmitEvent(event=Shutdown(reason="all episodes ran"))
    # raised, so that `ros2 launch` itself returns 1
    raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")


def local_discovery():
    """Keep a simulation on this computer unless the user says otherwise."""
    name, value = "ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"
    if os.environ.get("ROS_DISTRO") == "humble":
        name, value = "ROS_LOCALHOST_ONLY", "1"
    return [SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=value))]


def number(given, name, kind, low, high=float("inf")):
    """A launch argument as a number, or an error that names it."""
    try:
        value = kind(given[name])
    except ValueError:
        value = None
    if value is None or not low <= value <= high or value == float("inf"):
        what = "a whole number" if kind is int else "a number"
        limits = f">= {low}" if high == float("inf") else f"in [{low}, {high}]"
        raise RuntimeError(f"launch argument {name}:={given[name]} is not {what} {limits}")
    return value


def text(value):
    """A parameter that stays a text even where it reads like a number."""
    return ParameterValue(value, value_type=str)
