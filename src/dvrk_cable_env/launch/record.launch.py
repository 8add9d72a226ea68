"""Records demonstrations beside a robot or a simulation that runs already. Ctrl-C ends it.

    ros2 launch dvrk_cable_env record.launch.py out:=session_1
    ros2 launch dvrk_cable_env record.launch.py out:=session_2 teleop:=joy config:=my_robot.yaml

`--show-args` lists the arguments; docs/demonstrations.md describes the whole procedure.
"""

import os
import time

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch_ros.actions import Node

from dvrk_cable_env.teleop.recording import RecordingConfig, streams
from ls3_common import topics
from ls3_launch import launching, live
from ls3_launch.checks import check_arguments, number
from ls3_launch.launching import text

ARGUMENTS = [
    DeclareLaunchArgument(
        "out", default_value="", description="the bag's directory; empty: recordings/<time>"
    ),
    DeclareLaunchArgument("arm", default_value="PSM1", description="CRTK name of the arm"),
    DeclareLaunchArgument(
        "console", default_value="MTMR", description="CRTK name of the master that drives the arm"
    ),
    DeclareLaunchArgument(
        "camera",
        default_value=topics.CAMERA_IMAGE,
        description="the camera's topic: sensor_msgs/Image, or CompressedImage if the name ends "
        "in /compressed",
    ),
    DeclareLaunchArgument(
        "pedals",
        default_value=RecordingConfig.pedals,
        description="namespaces of the topics of pedals, separated by spaces",
    ),
    DeclareLaunchArgument(
        "clutch",
        default_value="",
        description="topic (sensor_msgs/Joy) of a clutch that is in none of these namespaces",
    ),
    DeclareLaunchArgument(
        "camera_rate",
        default_value="5.0",
        description="lowest rate of the camera, Hz of wall time; below it there is a warning",
    ),
    DeclareLaunchArgument(
        "state_rate",
        default_value="50.0",
        description="lowest rate of the arm's poses, Hz of wall time",
    ),
    DeclareLaunchArgument(
        "teleop",
        default_value="none",
        choices=["none", "joy", "marks"],
        description="start teleop_node; joy: a gamepad drives the arm and marks; marks: buttons "
        "and pedals only mark. Keys need a terminal: ros2 run dvrk_cable_env teleop_node",
    ),
    DeclareLaunchArgument(
        "config", default_value="", description="parameter file with a section for teleop_node"
    ),
    live.argument(),
]


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return LaunchDescription(
        [
            *ARGUMENTS,
            OpaqueFunction(
                function=lambda context: check_arguments(ARGUMENTS, context.launch_configurations)
            ),
            # nodes end when this process ends, even if it is killed
            SetEnvironmentVariable("LS3_LAUNCH_PID", str(os.getpid())),
            SetEnvironmentVariable("PYTHONUNBUFFERED", "1"),
            OpaqueFunction(function=lambda context: start(context.launch_configurations)),
        ]
    )


def start(given):
    """Start recorder, record_monitor and, if asked for, teleop_node; one that ends ends all."""
    out = os.path.abspath(
        given["out"] or os.path.join("recordings", time.strftime("%Y%m%d_%H%M%S"))
    )
    if os.path.exists(out):
        raise RuntimeError(f"out:={given['out']} exists already: a recording is never overwritten")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    rates = {
        name: number(given, name, float, 0.0, 1000.0) for name in ("camera_rate", "state_rate")
    }
    names = {name: given[name] for name in ("arm", "console", "camera", "pedals", "clutch")}
    wanted = streams(RecordingConfig(**names, **rates))
    # the recorder asks each topic for the quality of service that its publishers offer
    recorder = ExecuteProcess(
        cmd=["ros2", "bag", "record", "-s", "mcap", "-o", out, *(_full(s.topic) for s in wanted)],
        name="recorder",
        output="screen",
        sigterm_timeout="10",  # closing a large bag takes time
        sigkill_timeout="10",
    )
    monitor = Node(
        package="dvrk_cable_env",
        executable="record_monitor",
        name="record_monitor",
        output="screen",
        parameters=[{name: text(value) for name, value in (names | {"bag": out}).items()} | rates],
    )
    base = given["camera"].removesuffix("/compressed")
    view = live.nodes(
        given,
        {"arm": text(given["arm"]), "compressed": base != given["camera"]},
        remappings=[(topics.CAMERA_IMAGE, base)],
    )
    return [*launching.watched([recorder, monitor, *_teleop(given)]), *view]


def _teleop(given):
    if given["teleop"] == "none":
        return []
    compressed = given["camera"].endswith("/compressed")
    settings = {"drive": given["teleop"] == "joy", "keyboard": False, "compressed": compressed}
    camera = topics.CAMERA_IMAGE + ("/compressed" if compressed else "")
    return [
        Node(
            package="dvrk_cable_env",
            executable="teleop_node",
            name="teleop_node",
            output="screen",
            parameters=[*([given["config"]] if given["config"] else []), settings],
            remappings=[(camera, given["camera"])],
        )
    ]


def _full(topic):
    return topic if topic.startswith("/") else f"/{topic}"
