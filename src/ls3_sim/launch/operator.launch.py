"""Records demonstrations of a scripted operator in simulation, and ends when the script is done.

    ros2 launch ls3_sim operator.launch.py script:=script.json out:=session_1

record.launch.py makes the recording, as a person would start it. `ls3 demonstrations` writes the
scripts and imports the bags. `--show-args` lists the arguments.
"""

from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node

from ls3_common.domain import load_spec
from ls3_common.shared import find_shared
from ls3_launch import launching
from ls3_launch.checks import number
from ls3_launch.launching import text

DOMAIN = load_spec("cable_routing")
ARGUMENTS = [
    DeclareLaunchArgument("script", description="script to perform, a JSON list of {kind, seed}"),
    DeclareLaunchArgument("out", description="directory of the bag"),
    DeclareLaunchArgument(
        "steps",
        default_value=str(DOMAIN.horizon),
        description="T, length of an episode without a violation",
    ),
    DeclareLaunchArgument(
        "config",
        default_value=str(find_shared("config/cable_routing.yaml")),
        description="parameter file, of which the simulation takes the section environment",
    ),
    DeclareLaunchArgument(
        "real_time_factor", default_value="2.0", description="simulated seconds per wall second"
    ),
]

# As in cable_routing.launch.py: seconds of wall time, because the simulation does not wait.
LIMITS_S = {
    "limits.max_image_age": 30.0,
    "limits.max_state_age": 2.0,
    "limits.max_clock_skew": 1.0,
    "motion_timeout": 6.0,
}
ARM = {"limits.max_silence": 10.0, "limits.latch_timeouts": False, "auto_enable": True}
RATE_HZ = 5.0
"""Camera rate below which the monitor warns, Hz of simulated time; the camera has 10 Hz."""


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return launching.graph(ARGUMENTS, start)


def start(given):
    """Start simulation, arm and recorder, and the operator, whose end ends everything."""
    factor = number(given, "real_time_factor", float, low=0.01, high=10.0)
    arm = {name: value * factor for name, value in LIMITS_S.items()} | ARM
    arm |= launching.goal_tolerance(given)
    record = ["ros2", "launch", "dvrk_cable_env", "record.launch.py", f"out:={given['out']}"]
    record += [f"camera_rate:={RATE_HZ * factor / 2}", f"state_rate:={RATE_HZ * factor}"]
    operator = _node(
        "ls3_sim",
        "operator_node",
        {"script": text(given["script"]), "steps": number(given, "steps", int, low=1)},
    )
    others = [
        _node("ls3_sim", "sim_node", {"real_time_factor": factor}, *launching.environment(given)),
        _node("dvrk_cable_env", "arm_node", {"use_sim_time": True} | arm),
        ExecuteProcess(
            cmd=record,
            name="record",
            output="screen",
            sigterm_timeout="30",  # closing a large bag takes time
            sigkill_timeout="10",
        ),
    ]
    return [
        *launching.local_discovery(),
        RegisterEventHandler(OnProcessExit(target_action=operator, on_exit=_ended)),
        *launching.watched(others),
        operator,
    ]


def _node(package, executable, *parameters):
    return Node(
        package=package,
        executable=executable,
        name=executable,
        output="screen",
        parameters=list(parameters),
    )


def _ended(event, context):
    if context.is_shutdown:
        return None
    if event.returncode == 0:
        return EmitEvent(event=Shutdown(reason="the script is done"))
    # an exception makes `ros2 launch` itself return 1
    raise RuntimeError(f"operator_node ended with exit code {event.returncode}")
