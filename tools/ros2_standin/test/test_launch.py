"""`ros2 launch` with real processes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "standin_nodes"


def test_two_nodes_get_names_parameters_and_remaps(workspace: Any) -> None:
    file = workspace.path / "parameters.yaml"
    file.write_text(
        "/**/speaker: {ros__parameters: {from_file: 7, overridden: 1}}\n"
        "/**/another: {ros__parameters: {not_mine: 1}}\n"
    )
    workspace.write(
        """
    DeclareLaunchArgument("gain", default_value="1"),
    SetParameter("use_sim_time", True),
    PushRosNamespace("robot"),
    Node(
        package="standin_nodes", executable="talker", name="speaker", namespace="left",
        output="screen", arguments=["--my-flag", ["--my-", LaunchConfiguration("gain")]],
        parameters=[
            PathJoinSubstitution([EnvironmentVariable("FILES"), "parameters.yaml"]),
            {"overridden": 2, "gain": LaunchConfiguration("gain"), "nested": {"depth": 2.0},
             "text": "5", "also_text": ParameterValue(LaunchConfiguration("gain"), value_type=str),
             "flag": True, "list": [1, 2.5], "names": ["a", "b"]},
        ],
        remappings=[("chatter", "news")],
    ),
    Node(package="standin_nodes", executable="listener", namespace="left", output="screen",
         arguments=["0"], remappings=[("chatter", "news")], on_exit=Shutdown()),
    """
    )
    command = workspace.launch("gain:=3.5", FILES=str(workspace.path))
    assert command.end() == 0
    for line in (
        "name /robot/left/speaker topic /robot/left/news",
        "from_file = 7",
        "overridden = 2",
        "gain = 3.5",
        "nested.depth = 2.0",
        "text = '5'",
        "also_text = '3.5'",
        "flag = True",
        "list = [1.0, 2.5]",
        "names = ['a', 'b']",
        "use_sim_time = True",
        "arguments ['--my-flag', '--my-3.5']",
        "interrupted",
    ):
        assert f"[talker-1] {line}\n" in command.output
    assert "not_mine" not in command.output
    assert "[listener-2] heard 3\n" in command.output
    assert "process[listener-2] was required: shutting down launched system" in command.output
    assert "[INFO] [talker-1]: process has finished cleanly" in command.output


def test_scopes_conditions_and_includes(workspace: Any) -> None:
    show = 'ExecuteProcess(cmd=["sh", "-c", "echo $NAME"], name="show", output="screen"),'
    workspace.write(
        'DeclareLaunchArgument("inner"), LogInfo(msg=["inner ", LaunchConfiguration("inner")]),',
        "inner.launch.py",
    )
    workspace.write(
        f"""
    DeclareLaunchArgument("sim", default_value="true", choices=["true", "false"]),
    SetEnvironmentVariable("NAME", "outer"),
    GroupAction([SetEnvironmentVariable("NAME", "group"), SetLaunchConfiguration("x", "1"),
                 LogInfo(msg=["x ", LaunchConfiguration("x", default=0)]), {show}]),
    LogInfo(msg=["x ", LaunchConfiguration("x", default=0)]),
    {show}
    ExecuteProcess(cmd=["sh", "-c", "echo own $NAME"], output="screen",
                   additional_env={{"NAME": EnvironmentVariable("UNSET", default_value="own")}}),
    LogInfo(msg="if", condition=IfCondition(LaunchConfiguration("sim"))),
    LogInfo(msg="unless", condition=UnlessCondition(LaunchConfiguration("sim"))),
    LogInfo(msg="python", condition=IfCondition(
        PythonExpression(["'", LaunchConfiguration("sim"), "' == 'true' and pi > 3"]))),
    GroupAction(condition=IfCondition("0"), actions=[LogInfo(msg="never")]),
    IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare("{PACKAGE}"), "launch", "inner.launch.py"])),
        launch_arguments={{"inner": ["of ", LaunchConfiguration("sim")]}}.items()),
    OpaqueFunction(function=lambda context, word: [LogInfo(msg=word + context.argv[0])],
                   args=["opaque "]),
    """
    )
    command = workspace.launch("sim:=True")
    assert command.end() == 1  # not among the choices
    assert 'provided value "True" is not valid. Valid options are: [' in command.output
    command = workspace.launch("sim:=true", "inner:=given")
    assert command.end() == 0
    told = re.findall(r"\[launch.user\]: (.*)", command.output)
    assert told == ["x 1", "x 0", "if", "python", "inner of true", "opaque sim:=true"]
    shown = dict(re.findall(r"^\[(\S+)\] (.*)$", command.output, re.MULTILINE))
    assert shown == {"show-1": "group", "show-2": "outer", "sh-3": "own own"} | {
        key: value for key, value in shown.items() if key in ("INFO", "ERROR")
    }


def test_outputs_go_where_they_are_sent(workspace: Any) -> None:
    workspace.write(
        ",".join(
            f'ExecuteProcess(cmd=["sh", "-c", "echo out; printf err >&2"], output="{output}", '
            f'name="{output}")'
            for output in ("screen", "log", "both")
        )
    )
    command = workspace.launch()
    assert command.end() == 0
    log = next(workspace.path.glob("log/*/launch.log")).read_text()
    lines = {"screen-1": (2, 0), "log-2": (1, 2), "both-3": (2, 2)}
    for name, (screen, file) in lines.items():
        for text, count in ((command.output, screen), (log, file)):
            assert len(re.findall(rf"\[{name}\] (?:out|err)\n", text)) == count, (name, text)


@pytest.mark.parametrize(
    ("handler", "code", "said"),
    [
        ("None", 0, "process has died [pid"),  # as the real launch
        ("lambda event, context: Shutdown(reason=str(event.returncode))", 0, "was required"),
        ("lambda event, context: 1 / (event.returncode - 3)", 1, "ZeroDivisionError"),
    ],
)
def test_exit_code(workspace: Any, handler: str, code: int, said: str) -> None:
    workspace.write(
        f'Node(package="{PACKAGE}", executable="fails", output="screen", on_exit={handler}),'
        + (
            ""
            if code == 0 and said.startswith("process")
            else f"""
    Node(package="{PACKAGE}", executable="polite", output="screen"),
    RegisterEventHandler(OnShutdown(on_shutdown=lambda event, context: LogInfo(msg="bye"))),"""
        )
    )
    command = workspace.launch()
    assert command.end() == code, command.output
    assert said in command.output
    assert "exit code 3" in command.output
    assert "\nTraceback" not in command.output


def test_exit_of_one_process_stops_the_others(workspace: Any) -> None:
    workspace.write_text(
        f"""
from launch import LaunchDescription
from launch.actions import EmitEvent, ExecuteProcess, LogInfo, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import Shutdown
from launch_ros.actions import Node

def generate_launch_description():
    first = ExecuteProcess(
        cmd=["until [ -e $READY ]; do sleep 0.05; done"], shell=True, name="first")
    other = ExecuteProcess(cmd=["true"], name="other")
    return LaunchDescription([
        RegisterEventHandler(OnProcessExit(
            target_action=first, on_exit=[EmitEvent(event=Shutdown(reason="first ended"))])),
        RegisterEventHandler(OnShutdown(
            on_shutdown=lambda event, context: [LogInfo(msg=event.reason)])),
        Node(package="{PACKAGE}", executable="polite", output="screen"), other, first,
    ])
"""
    )
    command = workspace.launch()
    assert command.end() == 0
    assert "[launch.user]: first ended" in command.output
    assert "[polite-1] stopped by SIGINT" in command.output


def test_show_args(workspace: Any) -> None:
    workspace.write(
        """
    DeclareLaunchArgument("needed", description="what is needed"),
    DeclareLaunchArgument("mode", default_value="a", description="A mode.", choices=["a", "b"]),
    GroupAction(condition=IfCondition("1"), actions=[
        DeclareLaunchArgument("deep", default_value=["x", LaunchConfiguration("mode")])]),
    """
    )
    command = workspace.launch("-s")
    assert command.end() == 0
    assert command.output == (
        "Arguments (pass arguments as '<name>:=<value>'):\n"
        "\n    'needed':\n        what is needed\n"
        "\n    'mode':\n        A mode. Valid choices are: ['a', 'b']\n        (default: 'a')\n"
        "\n    'deep':*\n        no description given\n"
        "        (default: 'x' + LaunchConfig('mode'))\n"
        "\n* argument(s) which are only used if specific conditions occur\n"
    )


GOOD = 'DeclareLaunchArgument("seed"), DeclareLaunchArgument("speed", default_value="1"),'
POLITE = f'Node(package="{PACKAGE}", executable="polite"),'


@pytest.mark.parametrize(
    ("body", "words", "said"),
    [
        (GOOD, ["sed:=1"], "no launch argument 'sed' (did you mean 'seed'? valid: seed, speed)"),
        (GOOD, ["speed:=1"], 'Required launch argument "seed" was not provided'),
        (GOOD, ["seed=1"], "malformed launch argument 'seed=1'"),
        (GOOD, ["--nonsense", "seed:=1"], "unrecognized arguments: --nonsense"),
        ("LaunchConfiguration", [], "expected a LaunchDescriptionEntity"),
        ("1 / 0", [], "ZeroDivisionError: division by zero"),
        (POLITE + 'Node(package="nowhere", executable="x")', [], "package 'nowhere' not found"),
        (POLITE + f'Node(package="{PACKAGE}", executable="x")', [], "executable 'x' not found"),
        (POLITE + 'ExecuteProcess(cmd=["/no/such"])', [], "cannot start process[such-2]"),
        ('LogInfo(msg=LaunchConfiguration("x"))', [], "launch configuration 'x' does not exist"),
        ('LogInfo(msg="", condition=IfCondition("maybe"))', [], "but got 'maybe'"),
        ('Node(executable="x", respawn=True)', [], "unexpected keyword argument 'respawn'"),
        (
            f'Node(package="{PACKAGE}", executable="polite", parameters=[{{"a": []}}])',
            [],
            "for 'a'",
        ),
    ],
)
def test_mistakes(workspace: Any, body: str, words: list[str], said: str) -> None:
    workspace.write(body)
    command = workspace.launch(*words)
    assert command.end() != 0
    assert said in command.output
    assert "\nTraceback" not in command.output
    assert "is ready" not in command.output  # nothing is started when something is wrong


def test_other_names_are_refused(workspace: Any) -> None:
    for line, said in (
        ("from launch.actions import Foo", "cannot import name 'Foo' from 'launch.actions'"),
        ("from launch_ros.actions import LifecycleNode", "cannot import name 'LifecycleNode'"),
        ("import launch.frontend", "No module named 'launch.frontend'"),
    ):
        workspace.write_text(line)
        command = workspace.launch()
        assert command.end() == 1
        assert said in command.output
        assert "the ROS 2 stand-in has a part of launch only" in command.output
        assert command.output.count("\n") == 1


def test_launch_file_of_no_package(workspace: Any, tmp_path: Path) -> None:
    file = workspace.write('LogInfo(msg="by path")', "other.launch.py")
    command = workspace.ros2("launch", str(file))
    assert command.end() == 0
    assert "by path" in command.output
    for words, said in (
        (["nowhere", "x.launch.py"], "package 'nowhere' not found"),
        ([PACKAGE, "x.launch.py"], "launch files there: other.launch.py)"),
        ([str(tmp_path / "none.py")], "no launch file given"),
    ):
        command = workspace.ros2("launch", *words)
        assert command.end() == 1
        assert said in command.output
        assert command.output.count("\n") == 1
