"""record_monitor as a process, and record.launch.py with what it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from mcap.writer import Writer as McapWriter
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image
from std_msgs.msg import String

from dvrk_cable_env.bags.reading import Bag
from ls3_common import qos

NODE = "dvrk_cable_env.teleop.record_monitor"
LAUNCH = ["ros2", "launch", "dvrk_cable_env", "record.launch.py"]
ONE_MARK = """
import rclpy, sys, time
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("one_mark")
out = node.create_publisher(String, "episode_mark", 10)
while out.get_subscription_count() < 2:
    time.sleep(0.01)
out.publish(String(data=sys.argv[1]))
out.wait_for_all_acked(rclpy.duration.Duration(seconds=5.0))
"""
"""What `ros2 topic pub --once -w 2` does."""


def test_what_is_missing_slow_or_of_another_kind_is_named_until_it_is_cured(
    arm: Any, bench: Any
) -> None:
    arm.publishes_poses = False
    logs = bench.collect(Log, "/rosout", qos.CHANGES)  # also what was said before
    diagnoses = bench.collect(DiagnosticArray, "/diagnostics")
    frames = bench.node.create_publisher(Image, "camera/image_raw", qos.BEST_EFFORT)
    wrong = bench.node.create_publisher(PoseStamped, "task_state", qos.RELIABLE)
    frame = Image(height=1, width=1, encoding="mono8", step=1, data=b"\0")
    frame.header.stamp.sec = 1
    shots = bench.node.create_timer(0.5, lambda: frames.publish(frame))

    def said(text: str) -> list[str]:
        return [log.msg for log in logs if log.name == "record_monitor" and text in log.msg]

    with bench.start(NODE, report=1.0):
        bench.until(lambda: said("PSM1/setpoint_cp: missing, no message has arrived"))
        bench.until(lambda: said("camera/image_raw: slow, less than 5 Hz"))
        bench.until(lambda: said("task_state: is geometry_msgs/msg/PoseStamped"))
        bench.until(lambda: said("nothing records: no rosbag2_recorder subscribes"))
        report = bench.until(lambda: said("WARNINGS: camera/image_raw 2"))
        assert "no episode runs" in report[-1]
        status = [s for a in diagnoses for s in a.status if s.name == "record_monitor"][-1]
        assert status.level == b"\x01"
        assert "PSM1/measured_cp: missing" in status.message
        bench.destroy(shots)
        shots = bench.node.create_timer(0.05, lambda: frames.publish(frame))
        arm.publishes_poses = True
        bench.until(lambda: said("resolved: camera/image_raw: slow"))
        bench.until(lambda: said("resolved: PSM1/setpoint_cp: missing"))
        assert len(said("PSM1/setpoint_cp: missing")) == 2, (
            "said once, and once that it is resolved"
        )
        arm.stamps_are_valid = False
        bench.until(lambda: said("PSM1/setpoint_cp: most messages have stamp 0"))
        arm.stamps_are_valid = True
        marks = bench.node.create_publisher(String, "episode_mark", qos.RELIABLE)
        bench.matched(marks)
        marks.publish(String(data="start random"))
        bench.until(lambda: said("episode 1 runs, last mark 'start random'"))
    bench.destroy(shots, frames, wrong, marks)


def test_what_arrives_but_does_not_reach_the_recording_is_named(bench: Any, tmp_path: Path) -> None:
    """The class: the monitor watches the topic instead of the recording.

    Its members: a driver that begins anew with best effort, one that begins anew without latching,
    and a recorder that subscribes but writes no message of a topic.
    """
    diagnoses = bench.collect(DiagnosticArray, "/diagnostics")
    camera = bench.node.create_publisher(Image, "camera/image_raw", qos.BEST_EFFORT)
    poses = bench.node.create_publisher(PoseStamped, "PSM1/setpoint_cp", qos.RELIABLE)
    lost = bench.node.create_publisher(PoseStamped, "PSM1/measured_cp", qos.RELIABLE)
    kept = bench.node.create_publisher(PoseStamped, "PSM1/local/measured_cp", qos.RELIABLE)
    recorder = rclpy.create_node("rosbag2_recorder", context=bench.node.context)
    for kind, topic, profile in (
        (String, "episode_mark", qos.RELIABLE),
        (Image, "camera/image_raw", qos.RELIABLE),
        (PoseStamped, "PSM1/setpoint_cp", qos.LATCHED),
        (PoseStamped, "PSM1/measured_cp", qos.RELIABLE),
        (PoseStamped, "PSM1/local/measured_cp", qos.RELIABLE),
    ):
        recorder.create_subscription(kind, topic, lambda _message: None, profile)
    bag = (tmp_path / "bag.mcap").open("wb")
    writer = McapWriter(bag, use_chunking=False)
    writer.start()
    channel = writer.register_channel("/PSM1/local/measured_cp", "cdr", 0)

    def send() -> None:
        pose = PoseStamped()
        pose.header.stamp = bench.stamp()
        for publisher in (poses, lost, kept):
            publisher.publish(pose)
        writer.add_message(channel, time.time_ns(), b"", time.time_ns())
        bag.flush()

    timer = bench.node.create_timer(0.02, send)

    def newest() -> str:
        found = [s.message for a in diagnoses for s in a.status if s.name == "record_monitor"]
        return found[-1] if found else ""

    with bench.start(NODE, bag=str(tmp_path)):
        bench.until(lambda: "/camera/image_raw: what" in newest())
        bench.until(lambda: "/PSM1/setpoint_cp: what" in newest())
        bench.until(lambda: "PSM1/measured_cp: messages arrive, but not in the" in newest())
        assert "PSM1/local/measured_cp" not in newest()
    recorder.destroy_node()
    bench.destroy(timer, camera, poses, lost, kept)


@pytest.mark.usefixtures("arm")
def test_a_launch_records_marks_by_topic_and_every_kind_of_service(
    bench: Any, tmp_path: Path
) -> None:
    """A latched state of before the recording, best-effort frames, a mark by a passer-by."""
    from ls3_interfaces.msg import MotionState

    states = bench.node.create_publisher(MotionState, "motion_state", qos.LATCHED)
    states.publish(MotionState(reason="of before"))
    frames = bench.node.create_publisher(Image, "camera/image_raw", qos.BEST_EFFORT)
    frame = Image(height=1, width=1, encoding="mono8", step=1, data=b"\0")
    shots = bench.node.create_timer(0.05, lambda: frames.publish(frame))
    out = tmp_path / "deep" / "bag"
    with bench.command(*LAUNCH, f"out:={out}") as launch:
        bench.until(lambda: states.get_subscription_count() > 0)
        bench.until(lambda: frames.get_subscription_count() > 1)
        passer_by = bench.command(sys.executable, "-c", ONE_MARK, "start")
        assert passer_by.wait(30) == 0
        launch.send(signal.SIGINT)
        assert launch.wait(30) in (0, 1, 2)
    bench.destroy(shots)
    bag = Bag(out)
    assert not bag.cut
    assert list(out.glob("*.mcap"))
    found = {raw.topic: bag.decode(raw) for raw in bag.messages(set(bag.topics))}
    assert found["/motion_state"].reason == "of before"
    assert found["/camera/image_raw"].encoding == "mono8"
    assert found["/episode_mark"].data == "start"
    assert {"/PSM1/setpoint_cp", "/PSM1/measured_cp", "/PSM1/operating_state"} <= set(found)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("out:=.", "a recording is never overwritten"),
        ("config:=nowhere.yaml", "config:=nowhere.yaml is not a file"),
        ("camera_rate:=fast", "camera_rate:=fast is not a number"),
        ("camrea:=x", "camrea"),
        ("teleop:=hands", "hands"),
    ],
)
def test_a_launch_that_cannot_be_is_refused_before_anything_starts(
    argument: str, reason: str, tmp_path: Path
) -> None:
    result = subprocess.run(
        [*LAUNCH, argument], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert reason in result.stdout + result.stderr
    assert "process started" not in result.stdout + result.stderr
    assert list(tmp_path.rglob("*.mcap")) == []
