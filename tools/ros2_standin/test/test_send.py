"""`ros2 topic pub`, `ros2 service call` and `ros2 action send_goal` with a live node."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseArray, PoseWithCovariance
from ros2_standin import StandinError
from ros2_standin.fields import document, fill, parse
from sensor_msgs.msg import JointState

EPISODE = "ls3_interfaces/action/RunEpisode"


@pytest.fixture(scope="module")
def answers(live: Any) -> Iterator[Any]:
    """A node that subscribes, serves and performs; the commands are run beside it."""
    node = live.ros2("run", "standin_nodes", "answers", PYTHONUNBUFFERED="1")
    node.wait_for("answers is ready")
    yield node
    node.send(signal.SIGINT)


def test_a_topic_is_told_once_with_a_stamp_of_the_simulation(live: Any, answers: Any) -> None:
    command = live.ros2(
        *("topic", "pub", "--once", "--use-sim-time", "/told", "sensor_msgs/msg/JointState"),
        "{header: auto, name: [a, b], position: [1, 0.5]}",
    )
    assert command.end() == 0
    assert "publisher: beginning loop\npublishing #1: sensor_msgs.msg.JointState(" in command.output
    answers.wait_for("told 77 ['a', 'b'] [1.0, 0.5]")


def test_a_topic_is_told_several_times_by_the_system_s_clock(live: Any, answers: Any) -> None:
    words = ("topic", "pub", "-t", "3", "-r", "20", "told", "sensor_msgs/JointState")
    command = live.ros2(*words, "header: {stamp: now, frame_id: x}")
    assert command.end() == 0
    assert "publishing #3" in command.output
    assert "publishing #4" not in command.output
    answers.wait_for("told 1")  # seconds since 1970


def test_without_a_subscription_once_waits_and_ctrl_c_ends_it(live: Any) -> None:
    command = live.ros2("topic", "pub", "-1", "/nobody", "std_msgs/msg/Empty")
    command.wait_for("Waiting for at least 1 matching subscription(s)...")
    command.send(signal.SIGINT)
    assert command.end() == 2


def test_a_service_is_called(live: Any, answers: Any) -> None:
    command = live.ros2("service", "call", "/switch", "std_srvs/srv/SetBool", "{data: true}")
    assert command.end() == 0
    assert "requester: making request: std_srvs.srv.SetBool_Request(data=True)\n" in command.output
    said = "response:\nstd_srvs.srv.SetBool_Response(success=True, message='it was True')\n"
    assert said in command.output


def test_a_goal_is_performed_with_its_feedback(live: Any, answers: Any) -> None:
    command = live.ros2("action", "send_goal", "-f", "/perform", EPISODE, "{max_steps: 3}")
    assert command.end() == 0
    for text in ("Goal accepted with ID: ", "Feedback:\n    step: 2\n", "reason: success\n"):
        assert text in command.output
    assert command.output.endswith("Goal finished with status: SUCCEEDED\n")


def test_a_goal_is_cancelled_by_ctrl_c(live: Any, answers: Any) -> None:
    command = live.ros2("action", "send_goal", "/perform", EPISODE, "{max_steps: 100000}")
    command.wait_for("Goal accepted")
    command.send(signal.SIGINT)
    assert command.end() == 2
    assert command.output.endswith("Canceling goal...\nGoal canceled.\n")
    answers.wait_for("canceled")


def test_a_goal_may_be_rejected(live: Any, answers: Any) -> None:
    command = live.ros2("action", "send_goal", "/perform", EPISODE, "{}")
    assert command.end() == 0
    assert command.output.endswith("Goal was rejected.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["topic", "pub", "/a", "std_msgs/msg/Nothing"], "message type 'std_msgs/msg/Nothing' is"),
        (["service", "call", "/a", "std_srvs/msg/Trigger"], "service type 'std_srvs/msg/Trigger'"),
        (["action", "send_goal", "/a", "a/B", "{}"], "action type 'a/B' is not installed"),
        (["topic", "pub", "/a", "std_msgs/String", "x"], "needs to be a dictionary in YAML"),
        (["topic", "pub", "/a", "std_msgs/String", "{data"], "is not YAML"),
        (["topic", "pub", "/a", "std_msgs/String", "{date: x}"], "has no attribute 'date'"),
        (["topic", "pub", "/a", "std_msgs/Int8", "{data: x}"], "Failed to populate field: "),
        (["topic", "pub", "/a", "std_msgs/Empty", "-r", "0"], "rate must be greater than zero"),
    ],
)
def test_mistakes_are_named_in_one_line(live: Any, words: list[str], said: str) -> None:
    command = live.ros2(*words)
    assert command.end() == 1
    assert said in command.output
    assert command.output.count("\n") == 1


def test_every_kind_of_field_is_filled_and_printed() -> None:
    poses = PoseArray()
    stamps = fill(poses, parse("{header: auto, poses: [{position: {x: 1}}, {}]}"))
    for stamp in stamps:
        stamp(Time(sec=5))
    assert poses.header.stamp.sec == 5
    assert [pose.position.x for pose in poses.poses] == [1.0, 0.0]
    pose = PoseWithCovariance()
    fill(pose, {"covariance": list(range(36))})
    assert pose.covariance[35] == 35.0
    with pytest.raises(StandinError, match="Failed to populate field"):
        fill(pose, {"covariance": [1.0, 2.0]})
    joints = JointState()
    fill(joints, {"position": [1], "name": ["a"]})
    assert "position:\n- 1.0\n" in document(joints)
