"""Uses everything that the stand-in supports; compare.py launches it with both ROS 2s."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import Shutdown as ShutdownEvent
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
    TextSubstitution,
)
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

PACKAGE = "standin_features"


def node(**keywords):
    """Start the executable of this package, with these keywords of `Node`."""
    return Node(package=PACKAGE, executable="node", **keywords)


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    given = LaunchConfiguration("given")
    share = FindPackageShare(PACKAGE)
    file = PathJoinSubstitution([share, "config", "parameters.yaml"])
    first = node(exec_name="first", arguments=["--fail"], output="screen")

    def opaque(context, word):
        return [
            node(
                exec_name="opaque",
                arguments=[word, given.perform(context), str(len(context.argv))],
                additional_env={"EXTRA": EnvironmentVariable("UNSET", default_value="none")},
            )
        ]

    return LaunchDescription(
        [
            DeclareLaunchArgument("given", default_value="1", description="a number"),
            DeclareLaunchArgument("mode", default_value="b", choices=["a", "b"]),
            SetEnvironmentVariable("OUTER", ["is ", given]),
            RegisterEventHandler(
                OnProcessExit(
                    target_action=first,
                    on_exit=lambda event, context: node(
                        exec_name="after", arguments=[str(event.returncode)], on_exit=Shutdown()
                    ),
                )
            ),
            first,
            SetParameter("use_sim_time", True),
            GroupAction(
                [
                    PushRosNamespace("one"),
                    PushRosNamespace(["tw", TextSubstitution(text="o")]),
                    SetParameter("scoped", given),
                    SetEnvironmentVariable("INNER", "1"),
                    SetLaunchConfiguration("given", "7"),
                    node(
                        name="full",
                        parameters=[
                            file,
                            ParameterFile(file),
                            {
                                "integer": 1,
                                "number": 1.5,
                                "small": 1e-9,
                                "flag": False,
                                "text": "5",
                                "empty": "",
                                "given": given,
                                "joined": ["a", given],
                                "numbers": [1, 2.5],
                                "texts": ["a", "true"],
                                "deep": {"er": {"est": (1, 2)}},
                                "typed": ParameterValue(given, value_type=str),
                                "float": ParameterValue(given, value_type=float),
                            },
                        ],
                        remappings=[("a", "b"), ("c", ["d", given])],
                        arguments=["--word", ["x", given]],
                        ros_arguments=["--log-level", "warn"],
                    ),
                    node(namespace="/absolute", name="absolute", parameters=[{"a": 1}]),
                    node(namespace="relative", exec_name="unnamed", parameters=[{"a": 1}]),
                ]
            ),
            node(name="outside", arguments=[given], condition=IfCondition("true")),
            node(name="not_this", condition=UnlessCondition("1")),
            node(
                exec_name="python",
                condition=IfCondition(
                    PythonExpression(["'", LaunchConfiguration("mode"), "' == 'b' and pi > 3"])
                ),
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, "launch", "inner.launch.py"])
                ),
                launch_arguments={"inner": ["in ", given]}.items(),
            ),
            OpaqueFunction(function=opaque, args=["opaque"]),
            ExecuteProcess(cmd=["sh", "-c", "exit 0"], name="shell", cwd="/", env={"A": "b"}),
            RegisterEventHandler(
                OnShutdown(on_shutdown=lambda event, context: LogInfo(msg="shutting down"))
            ),
            ExecuteProcess(
                cmd=["sleep", "30"],
                sigterm_timeout="3",
                sigkill_timeout=LaunchConfiguration("unset", default=3),
            ),
            GroupAction(
                [EmitEvent(event=ShutdownEvent(reason="never"))], condition=IfCondition("0")
            ),
        ]
    )
