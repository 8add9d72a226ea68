"""Cable routing: camera, segmentation, encoder, planner, arm and episodes, simulated or real.

    ros2 launch ls3_planner cable_routing.launch.py episodes:=5
    ros2 launch ls3_planner cable_routing.launch.py mode:=learn
    ros2 launch ls3_planner cable_routing.launch.py sim:=false episodes:=0 config:=my_robot.yaml

`--show-args` lists the arguments.
"""

import os

from launch.actions import DeclareLaunchArgument

from ls3_common import topics
from ls3_launch import launching, live
from ls3_launch.arguments import run_arguments
from ls3_launch.checks import number
from ls3_launch.launching import node, text

ARGUMENTS = [
    DeclareLaunchArgument(
        "sim",
        default_value="true",
        choices=["true", "false"],
        description="true: MuJoCo instead of camera and robot, and its clock for who reads one",
    ),
    *run_arguments("cable_routing"),
    DeclareLaunchArgument(
        "real_time_factor",
        default_value="2.0",
        description="simulated seconds per second of wall time; 1.0 as a robot would",
    ),
    DeclareLaunchArgument("arm", default_value="PSM1", description="CRTK name of the arm"),
    DeclareLaunchArgument(
        "backend",
        default_value="crtk",
        choices=["crtk", "dvrk"],
        description="how arm_node commands the arm: CRTK topics, or the dvrk-python API",
    ),
    DeclareLaunchArgument(
        "camera",
        default_value=topics.CAMERA_IMAGE,
        description="the camera driver's topic, sensor_msgs/Image, or CompressedImage if the name "
        "ends in /compressed",
    ),
    DeclareLaunchArgument(
        "black_box",
        default_value="auto",
        choices=["auto", "true", "false"],
        description="keep the last minute before each latch of arm_node as a bag in "
        "<out>/black_box; auto: with a robot",
    ),
    DeclareLaunchArgument(
        "reset",
        default_value="auto",
        choices=["auto", "scene", "operator"],
        description="who lays the cable between episodes: the simulation (scene), or a person, who "
        "is asked and says ~/continue (operator); auto: as sim says",
    ),
]
NODES = (
    *("segmentation_node", "encoder_node", "planner_node", "arm_node", "episode_node", "run_node"),
    *("black_box", "sim_node", live.VIEW_NODE),
)

# What the arm's limits become in a simulation, in seconds of wall time. Stamps are judged by the
# simulation's clock, which waits for nobody and may run faster, and a busy computer hurts no one.
# On a robot the arm's own, strict, defaults hold.
SIM_LIMITS_S = {
    "limits.max_image_age": 30.0,
    "limits.max_state_age": 2.0,
    "limits.max_clock_skew": 1.0,
    "motion_timeout": 6.0,
}
# judged by the wall; a simulation that stalls and comes back needs no operator to arm it again
SIM_ARM = {"limits.max_silence": 10.0, "limits.latch_timeouts": False}


def generate_launch_description():
    return launching.graph(ARGUMENTS, start, NODES)


def start(given):
    """The nodes, and what their end means."""
    sim = given["sim"] == "true"
    factor = number(given, "real_time_factor", float, low=0.01, high=10.0)
    model, arm = launching.model(given, "cable_routing"), {"arm": text(given["arm"])}
    reset = given["reset"] if given["reset"] != "auto" else "scene" if sim else "operator"
    episode_settings = {"reset": reset, "operator.arm": text(given["arm"])}
    episodes = text(os.path.join(given["out"], "episodes"))
    # Only two nodes read a clock. At 100 messages a simulated second it costs each of the others
    # as much as its work, on a computer that has a planner to feed.
    clock = {"use_sim_time": sim}
    arm_settings = arm | {"auto_enable": sim, "backend": given["backend"]}
    if sim:
        arm_settings |= {name: value * factor for name, value in SIM_LIMITS_S.items()}
        arm_settings |= SIM_ARM
    base = given["camera"].removesuffix("/compressed")
    compressed = {"compressed": True} if base != given["camera"] else {}  # else: of the file
    if sim and compressed:
        raise RuntimeError(
            f"camera:={given['camera']} is compressed, and the frames of the simulation are not: "
            f"give camera:={base}"
        )
    camera = {"remappings": [(topics.CAMERA_IMAGE, base)]}
    driver = launching.driver(given, "cable_routing", arm, **camera)
    if sim:  # not before `driver` has checked the arguments
        arm_settings |= launching.goal_tolerance(given)
    nodes = [
        node(
            given,
            "dvrk_cable_env",
            "segmentation_node",
            {"publish_task_state": not sim} | compressed,
            **camera,
        ),
        node(given, "ls3_models", "encoder_node", model),
        node(given, "ls3_planner", "planner_node", model),
        node(given, "dvrk_cable_env", "arm_node", clock, arm_settings),
        node(given, "ls3_episodes", "episode_node", clock, episode_settings | {"record": episodes}),
        *driver,
    ]
    if given["black_box"] == "true" or (given["black_box"] == "auto" and not sim):
        box = {
            "camera": text(given["camera"]),
            "out": text(os.path.join(given["out"], "black_box")),
        }
        nodes.append(node(given, "dvrk_cable_env", "black_box", arm | box))
    seen = {"compressed": live.settings(given, "segmentation_node").get("compressed", False)}
    shown = arm | {"model": text(given["model"])} | seen | compressed
    view = live.nodes(given, shown, **camera)
    if sim:
        scene = [arm | {"real_time_factor": factor}, *launching.environment(given)]
        nodes.insert(0, node(given, "ls3_sim", "sim_node", *scene, **camera))
    return [*launching.watched(nodes), *view]
