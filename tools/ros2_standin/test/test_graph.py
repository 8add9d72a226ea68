"""`ros2 topic` and `ros2 node` with a live node."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

TOPIC = "/robot/chatter"


def test_lists(live: Any) -> None:
    command = live.ros2("topic", "list", "-t")
    assert command.end() == 0
    assert f"{TOPIC} [sensor_msgs/msg/JointState]\n" in command.output
    command = live.ros2("node", "list")
    assert command.end() == 0
    assert command.output == "/robot/talker\n"


def test_echo(live: Any) -> None:
    command = live.ros2("topic", "echo", "--once", TOPIC)
    assert command.end() == 0
    assert command.output.endswith("---\n")
    message = yaml.safe_load(command.output.removesuffix("---\n"))
    assert list(message) == ["header", "name", "position", "velocity", "effort"]
    assert int(message["header"]["frame_id"]) >= 0
    assert message["position"] == [0.5] * 128 + ["..."]
    command = live.ros2("topic", "echo", TOPIC, "--once", "--field", "position", "-f")
    assert command.end() == 0
    assert yaml.safe_load(command.output.removesuffix("---\n")) == [0.5] * 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/nowhere"], "topic '/nowhere' is not published; give its type"),
        (["/nowhere", "std_msgs/msg/Nothing"], "message type 'std_msgs/msg/Nothing' is not"),
        ([TOPIC, "--once", "--field", "mass"], "JointState has no field 'mass'"),
    ],
)
def test_echo_of_what_is_not_there(live: Any, words: list[str], said: str) -> None:
    spin_time = "10" if words[0] == TOPIC else "0.5"
    command = live.ros2("topic", "echo", *words, "--spin-time", spin_time)
    assert command.end() == 1
    assert said in command.output
    assert command.output.count("\n") == 1
