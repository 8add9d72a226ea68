"""preflight says what is wrong with camera_info, where segmentation_node is to correct the lens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from lenses import HEIGHT, LENSES, WIDTH, message_of, through, workspace
from sensor_msgs.msg import CameraInfo
from test_lens_node import image

from ls3_common import qos

PLUMB = LENSES["plumb_bob"]


@pytest.fixture(scope="module")
def camera(bench: Any) -> Iterator[list[CameraInfo]]:
    """A camera over segmentation_node; what the list holds is said with every frame."""
    frame, said = image(through(PLUMB, workspace()), 1), []
    pictures = bench.node.create_publisher(type(frame), "camera/image_raw", qos.RELIABLE)
    infos = bench.node.create_publisher(CameraInfo, "camera/camera_info", qos.RELIABLE)

    def tick() -> None:
        frame.header.stamp = bench.node.get_clock().now().to_msg()
        pictures.publish(frame)
        for info in said:
            infos.publish(info)

    bench.node.create_timer(0.1, tick)
    sizes = {"width": WIDTH, "height": HEIGHT, "crop_left": 80, "crop_side": 480}
    with bench.start("dvrk_cable_env.camera.segmentation_node", undistort=True, **sizes) as child:
        bench.matched(pictures)
        yield said
        assert child.runs, "segmentation_node died"


def lines(bench: Any) -> dict[str, str]:
    """By check: there is no arm, so that preflight fails in any case."""
    words = ["-p", "timeout:=3.0", "-p", "watch:=1.0", "-p", "max_camera_age:=2.0"]
    command = [
        sys.executable,
        "-m",
        "dvrk_cable_env.preflight.preflight_node",
        "--ros-args",
        *words,
    ]
    done = subprocess.run(
        command, env=bench.environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    return {line[8:23].strip(): line for line in done.stdout.splitlines()[:-1]}


@pytest.mark.parametrize(
    ("heights", "reason"),
    [
        ([], "no camera_info has arrived on /camera/camera_info -> have the driver publish"),
        ([240], "describes frames of 640 x 240, this frame is 640 x 480"),
    ],
)
def test_no_lens_no_episode(
    bench: Any, camera: list[CameraInfo], heights: list[int], reason: str
) -> None:
    camera[:] = [message_of(PLUMB, height=height) for height in heights]
    found = lines(bench)
    assert found["calibration"].startswith("FAILED") and reason in found["calibration"]
    assert "nothing arrives on /segmentation/mask" in found["segmentation"]


def test_with_its_camera_info_the_lens_is_no_complaint(
    bench: Any, camera: list[CameraInfo]
) -> None:
    camera[:] = [message_of(PLUMB)]
    found = lines(bench)
    assert "arm_node does not answer" in found["calibration"], "its next question"
    assert found["segmentation"].startswith("ok") and found["camera"].startswith("ok")
