"""What `ros2` says of itself, of what it lacks, and beside a real ROS."""

from __future__ import annotations

from typing import Any

import pytest
from ros2_standin.cli import main


def test_it_says_what_it_is(workspace: Any) -> None:
    for words in (["--version"], ["--help"]):
        command = workspace.ros2(*words)
        assert command.end() == 0
        assert "ROS 2 stand-in" in command.output
        assert "not ROS" in command.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["service", "list"], "'list' is not supported by the ROS 2 stand-in"),
        (["action", "info", "/a"], "'info' is not supported by the ROS 2 stand-in"),
        (["param", "get", "/a", "b"], "'param' is not supported by the ROS 2 stand-in"),
        (["topic", "hz", "/a"], "'hz' is not supported by the ROS 2 stand-in"),
        (["bag", "play", "bag"], "'play' is not supported by the ROS 2 stand-in"),
        (["topic", "list", "--verbose"], "unrecognized arguments: --verbose"),
        ([], "arguments are required: COMMAND"),
    ],
)
def test_the_rest_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_it_refuses_to_run_beside_a_real_ros(workspace: Any) -> None:
    elsewhere = workspace.path / "elsewhere"
    index = elsewhere / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "launch").touch()
    for prefix in ("/opt/ros/jazzy", str(elsewhere)):
        sourced = {
            "ROS_DISTRO": "jazzy",
            "AMENT_PREFIX_PATH": f"{prefix}:{workspace.environment['AMENT_PREFIX_PATH']}",
        }
        command = workspace.ros2("topic", "list", **sourced)
        assert command.end() == 1
        assert f"where a real ROS 2 is sourced ({prefix})" in command.output
        assert command.output.count("\n") == 1
        for module in ("launch", "launch_ros"):
            command = workspace.python(f"import {module}", **sourced)
            assert command.end() == 1
            assert "ImportError: the ROS 2 stand-in does not run where" in command.output
