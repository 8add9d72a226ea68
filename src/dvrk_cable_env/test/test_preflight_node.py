"""preflight as a process, beside arm_node and segmentation_node; arm and camera are the test's."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.node import NodeNameNonExistentError
from sensor_msgs.msg import Image, Joy
from std_msgs.msg import Bool

from ls3_common import qos

PEDAL, FOLLOWING = "/footpedals/coag", "/MTMR_PSM1/following"
FILE = f"""
/**/arm_node:
  ros__parameters:
    motion_timeout: 3.0
    limits:
      workspace_low: [-0.05, -0.06]
      workspace_high: [0.05, 0.07]
      max_state_age: 1.5
    guards:
      pedal_topic: {PEDAL}
      pedal_max_age: 1.0
      teleop_topics: [{FOLLOWING}]
/**/segmentation_node:
  ros__parameters:
    publish_task_state: true
    homography: [0.0024, 0.0, -0.1524, 0.0, -0.0024, 0.1524, 0.0, 0.0, 1.0]
/**/preflight:
  ros__parameters:
    timeout: 4.0
    watch: 1.5
    max_camera_age: 2.0
"""
RED, GREEN, BLUE, GREY = (200, 20, 20), (20, 180, 40), (20, 40, 200), (90, 90, 90)
MAY_PUBLISH = {"/rosout", "/parameter_events"}
KINEMATICS = "crtk_msgs/srv/QueryInverseKinematics"
PARAMETERS = "rcl_interfaces/srv/GetParameters"


class Table:
    """A camera over cable, obstacle and goal, a foot on a pedal, and a console nobody uses."""

    def __init__(self, bench: Any, arm: Any) -> None:
        self.bench, self.arm, self._node = bench, arm, bench.node
        rgb = np.full((128, 128, 3), GREY, np.uint8)
        rgb[60:90, 50:80], rgb[60:80, 95:115], rgb[20:24, 10:100] = BLUE, GREEN, RED
        self._image = Image(
            height=128, width=128, encoding="rgb8", step=384, data=array("B", rgb.tobytes())
        )
        self.shows = self.foot = True
        self._camera = self._node.create_publisher(Image, "camera/image_raw", qos.RELIABLE)
        self._pedal = self._node.create_publisher(Joy, PEDAL, qos.RELIABLE)
        self.console = self._node.create_publisher(Bool, FOLLOWING, qos.LATCHED)
        self.console.publish(Bool(data=False))
        self._node.create_timer(0.05, self._tick)

    def _tick(self) -> None:
        if self.shows:
            self._image.header.stamp = self._node.get_clock().now().to_msg()
            self._camera.publish(self._image)
        if self.foot:
            self._pedal.publish(Joy(buttons=[0]))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("preflight") / "my_robot.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def table(bench: Any, arm: Any, file: Path) -> Iterator[Table]:
    """The nodes, with the file's parameters."""
    table = Table(bench, arm)
    settings = ["--ros-args", "--params-file", str(file)]
    children = [
        bench.command(sys.executable, "-m", f"dvrk_cable_env.{name}", *settings)
        for name in ("arm.arm_node", "camera.segmentation_node")
    ]
    bench.until(lambda: bench.node.count_publishers("motion_state"))
    yield table
    for child in children:
        assert child.runs, "a node died"


@pytest.fixture
def well(table: Table) -> Table:
    """Everything as it must be."""
    table.shows = table.foot = True
    table.console.publish(Bool(data=False))
    table.arm.become(state="ENABLED", is_homed=True, is_busy=False)
    return table


def begin(bench: Any, file: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dvrk_cable_env.preflight.preflight_node"]
    return subprocess.Popen(
        [*command, "--ros-args", "--params-file", str(file), *words],
        env=bench.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def verdicts(child: subprocess.Popen[str]) -> tuple[int, dict[str, str], str]:
    """Exit code, the line of each check that is not ok, and stderr."""
    out, errors = child.communicate(timeout=40)
    *lines, end = out.splitlines() or [""]
    assert end.startswith("preflight: ") and len(lines) == 16, out + errors
    assert child.returncode == int("FAILED: no episode" in end)
    return child.returncode, {x[8:23].strip(): x for x in lines if not x.startswith("ok ")}, errors


def failed(bench: Any, file: Path, *words: str) -> dict[str, str]:
    """The line of each check that failed, of which there is one at least."""
    code, found, _ = verdicts(begin(bench, file, *words))
    assert code == 1
    return {check: line for check, line in found.items() if line.startswith("FAILED")}


def test_all_is_well_and_nothing_that_moves_is_sent_or_even_offered(
    well: Table, file: Path
) -> None:
    node, arm = well.bench.node, well.arm
    arm.commands.clear()
    moves, holds = list(arm.moves), arm.holds
    child = begin(well.bench, file)
    offered: set[str] = set()
    asked: set[str] = set()
    while child.poll() is None:
        with contextlib.suppress(NodeNameNonExistentError):  # before and after its life
            for topic, _ in node.get_publisher_names_and_types_by_node("preflight", "/"):
                offered.add(topic)
            for _, kinds in node.get_client_names_and_types_by_node("preflight", "/"):
                asked.update(kinds)
        time.sleep(0.02)
    code, found, errors = verdicts(child)
    assert code == 0 and set(found) == {"model"}, found
    assert errors == ""
    assert asked == {PARAMETERS, KINEMATICS}, "it was looked at, and calls nothing else"
    assert offered <= MAY_PUBLISH
    assert (arm.commands, arm.moves, arm.holds) == ([], moves, holds)


def test_a_disabled_arm_fails_and_stays_disabled(well: Table, file: Path) -> None:
    arm = well.arm
    arm.become(state="DISABLED")
    arm.commands.clear()
    found = failed(well.bench, file)
    assert set(found) == {"arm state"} and "DISABLED" in found["arm state"]
    assert arm.state == "DISABLED" and arm.commands == []


def test_another_commander_and_a_console_that_follows(well: Table, file: Path) -> None:
    node = well.bench.node
    other = node.create_publisher(PoseStamped, "PSM1/servo_cp", qos.RELIABLE)
    well.console.publish(Bool(data=True))
    line = failed(well.bench, file)["sole commander"]
    well.bench.destroy(other)
    assert (
        "/bench (/PSM1/servo_cp)" in line
        and f"teleoperation drives the arm ({FOLLOWING} is true)" in line
    )


def test_no_camera_and_no_foot(well: Table, file: Path) -> None:
    well.shows = well.foot = False
    found = failed(well.bench, file)
    assert "nothing arrives on /camera/image_raw" in found["camera"]
    assert f"nothing arrives on {PEDAL}" in found["pedal"]
    assert set(found) == {"camera", "segmentation", "reference", "pedal"}


def test_nodes_that_run_with_other_numbers_than_the_files(
    well: Table, file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(FILE.replace("limits:\n", "limits:\n      max_step: 0.005\n", 1))
    found = failed(well.bench, other)
    assert set(found) == {"parameters"}
    assert "arm_node: limits.max_step is 0.015, the file says 0.005" in found["parameters"]


def test_a_box_whose_corners_are_out_of_reach(well: Table, file: Path) -> None:
    well.arm.reach, reach = 0.08, well.arm.reach
    found = failed(well.bench, file)
    well.arm.reach = reach
    assert set(found) == {"reach"}
    assert "(-0.05, 0.07): beyond a joint limit; (0.05, 0.07)" in found["reach"]
    assert "-0.06" not in found["reach"]


def test_a_robot_that_is_not_there(well: Table, file: Path) -> None:
    found = failed(well.bench, file, "-p", "arm:=PSM2")
    assert "nothing arrives on PSM2/operating_state" in found["arm state"]
    assert "nothing arrives on /PSM2/setpoint_cp" in found["arm pose"]
    assert "arm_node commands PSM1" in found["parameters"]


def test_interrupted_is_not_passed(well: Table, file: Path) -> None:
    well.shows = False
    child = begin(well.bench, file)
    well.bench.until(lambda: "preflight" in well.bench.node.get_node_names())
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=10)
    assert (child.returncode, out, errors) == (130, "", "")


def test_a_mistake_in_the_file_is_named(bench: Any, tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(FILE.replace("motion_timeout", "motion_timout"))
    child = begin(bench, path)
    _, errors = child.communicate(timeout=20)
    assert child.returncode == 2
    assert "unknown key 'motion_timout'" in errors and "Traceback" not in errors
