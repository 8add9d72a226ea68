"""segmentation_node corrects the lens: no mask without a valid camera_info, whoever offers it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from array import array
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lenses import HEIGHT, LENSES, WIDTH, message_of, overlap, through, workspace
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dvrk_cable_env.camera.lens import Lens
from dvrk_cable_env.camera.lens_topic import info_topic
from dvrk_cable_env.camera.segmentation import SegmentationConfig, segment_cable
from ls3_common import qos
from ls3_interfaces.msg import TaskState

NODE = "dvrk_cable_env.camera.segmentation_node"
SIZES: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "crop_left": 80, "crop_side": 480}
CONFIG = SegmentationConfig(**SIZES)
PLUMB, OTHER = LENSES["plumb_bob"], LENSES["rational_polynomial"]
MISSING = "undistort is true, but no camera_info has arrived on"


def image(rgb: np.ndarray, second: int) -> Image:
    height, width, _ = rgb.shape
    data = array("B", rgb.tobytes())
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
    message.header.stamp.sec = second
    return message


def corrected_mask(lens: Any, rgb: np.ndarray) -> np.ndarray:
    known = Lens("")
    known.receive(lens)
    return segment_cable(known.correct(rgb), CONFIG)


class Rig:
    """A camera with a lens; its driver says what the lens is when the test has it say so."""

    def __init__(self, bench: Any, namespace: str, offers: Any = qos.RELIABLE) -> None:
        self.bench, self._second = bench, 1
        self.masks = bench.collect(Image, f"{namespace}/segmentation/mask")
        self.states = bench.collect(TaskState, f"{namespace}/task_state")
        self._diagnostics = bench.collect(DiagnosticArray, "/diagnostics")
        self._camera = bench.node.create_publisher(
            Image, f"{namespace}/camera/image_raw", qos.RELIABLE
        )
        topic = f"{namespace}/camera/camera_info"
        self.info = bench.node.create_publisher(CameraInfo, topic, offers)

    def tell(self, lens: Any, **fields: Any) -> None:
        """A driver says it with every frame: here it says it some times before the next one."""
        for _ in range(5):
            self.info.publish(message_of(lens, **fields))
            time.sleep(0.05)

    def say(self) -> str:
        """The node's word on /diagnostics."""
        return self._diagnostics[-1].status[0].message if self._diagnostics else ""

    def frame(self, rgb: np.ndarray) -> int:
        """Show a frame; its second."""
        self._second += 1
        self._camera.publish(image(rgb, self._second))
        return self._second

    def refused(self, rgb: np.ndarray, reason: str) -> None:
        """Frames, until the node says why it makes no mask of them; and it makes none."""
        self.masks.clear()
        self.states.clear()
        self._diagnostics.clear()

        def said() -> bool:
            self.frame(rgb)
            time.sleep(0.1)
            return reason in self.say()

        self.bench.until(said)
        time.sleep(0.2)
        self.masks.clear()  # of frames that overtook what the test said of the lens
        self.states.clear()
        for _ in range(5):
            self.frame(rgb)
        time.sleep(0.5)
        assert self.masks == [] and self.states == []
        assert reason in self.say()

    def mask_of(self, rgb: np.ndarray) -> np.ndarray:
        """Frames, until one became a mask."""
        self.masks.clear()

        def seen() -> Any:
            self.frame(rgb)
            time.sleep(0.1)
            return self.masks

        mask = self.bench.until(seen)[-1]
        return np.frombuffer(mask.data, np.uint8).reshape(64, 64)


def test_masks_begin_with_camera_info_and_end_with_one_that_is_none(bench: Any) -> None:
    raw, other = through(PLUMB, workspace()), through(OTHER, workspace())
    with bench.start(NODE, namespace="/a", undistort=True, **SIZES) as child:
        rig = Rig(bench, "/a")
        bench.matched(rig.info)
        rig.refused(raw, f"{MISSING} /a/camera/camera_info")
        rig.tell(PLUMB)
        mask = rig.mask_of(raw)
        np.testing.assert_array_equal(mask, corrected_mask(PLUMB, raw))
        assert overlap(mask > 127, segment_cable(workspace(), CONFIG) > 127) > 0.965
        # of other frames: none, until it is right again
        rig.tell(PLUMB, width=320, height=240)
        rig.refused(raw, "camera_info describes frames of 320 x 240, this frame is 640 x 480")
        rig.tell(PLUMB)
        rig.mask_of(raw)
        rig.tell(PLUMB, d=array("d", [float("nan")] * 5))
        rig.refused(raw, "a coefficient is not finite")
        # another lens, other maps
        rig.tell(OTHER)
        rig.bench.until(lambda: np.array_equal(rig.mask_of(other), corrected_mask(OTHER, other)))
        # frames of another size than camera_info's are refused before they are cropped
        rig.refused(
            np.ascontiguousarray(raw[:240, :320]), "camera_info describes frames of 640 x 480"
        )
        assert child.runs, "segmentation_node died"


def test_one_that_was_said_once_and_before_the_node_came_is_heard(bench: Any) -> None:
    raw = through(PLUMB, workspace())
    rig = Rig(bench, "/b", qos.LATCHED)
    rig.info.publish(message_of(PLUMB))
    with bench.start(NODE, namespace="/b", undistort=True, **SIZES):
        np.testing.assert_array_equal(rig.mask_of(raw), corrected_mask(PLUMB, raw))


def test_a_driver_that_offers_best_effort_and_sends_jpeg(bench: Any) -> None:
    raw = through(OTHER, workspace())
    done, data = cv2.imencode(".png", raw[..., ::-1])
    assert done
    picture = CompressedImage(format="png", data=array("B", data.tobytes()))
    rig = Rig(bench, "/c", qos.BEST_EFFORT)
    camera = bench.node.create_publisher(
        CompressedImage, "/c/camera/image_raw/compressed", qos.RELIABLE
    )
    with bench.start(NODE, namespace="/c", undistort=True, compressed=True, **SIZES):

        def seen() -> Any:
            rig.info.publish(message_of(OTHER))
            camera.publish(picture)
            time.sleep(0.1)
            return rig.masks

        mask = np.frombuffer(bench.until(seen)[0].data, np.uint8).reshape(64, 64)
        np.testing.assert_array_equal(mask, corrected_mask(OTHER, raw))


def test_a_reference_taken_through_another_lens_judges_nothing(bench: Any) -> None:
    raw = through(PLUMB, workspace())
    with bench.start(NODE, namespace="/d", undistort=True, publish_task_state=True, **SIZES):
        rig = Rig(bench, "/d")
        bench.matched(rig.info)
        rig.tell(PLUMB)
        rig.mask_of(raw)
        bench.until(lambda: rig.states)
        changed = dataclasses.replace(PLUMB, k=(470.0, *PLUMB.k[1:]))
        rig.tell(changed)
        rig.refused(raw, "camera_info has changed since the reference frame")
        # the operator clears the scene and says so
        assert bench.call("/d/segmentation_node/reference").success
        rig.mask_of(raw)
        bench.until(lambda: rig.states)
        # the one that it was taken through is still good
        rig.tell(PLUMB)
        rig.refused(raw, "camera_info has changed")
        rig.tell(changed)
        rig.mask_of(raw)


def test_without_undistort_camera_info_is_nobodys(bench: Any) -> None:
    raw = through(PLUMB, workspace())
    with bench.start(NODE, namespace="/e", **SIZES):
        rig = Rig(bench, "/e")
        np.testing.assert_array_equal(rig.mask_of(raw), segment_cable(raw, CONFIG))
        assert bench.node.count_subscribers("/e/camera/camera_info") == 0


@pytest.mark.parametrize(
    ("rules", "topic"),
    [
        ([], "/lab/camera/camera_info"),
        (["camera/image_raw:=/left/image_raw"], "/left/camera_info"),
        (["camera/image_raw:=/left/image"], "/left/camera_info"),
        (["camera/camera_info:=/known/info"], "/known/info"),
        (["camera/image_raw:=/left/raw", "camera/camera_info:=/known/info"], "/known/info"),
        (["camera/image_raw:=/left/raw", "/left/camera_info:=/known/info"], "/known/info"),
    ],
)
def test_camera_info_is_looked_for_beside_the_camera(
    bench: Any, rules: list[str], topic: str
) -> None:
    import rclpy

    words = [word for rule in rules for word in ("-r", rule)]
    node = rclpy.create_node(
        "some", namespace="/lab", context=bench.context, cli_args=["--ros-args", *words]
    )
    try:
        found = info_topic(node, "camera/image_raw")
        assert node.resolve_topic_name(found) == topic
    finally:
        node.destroy_node()


def test_frames_that_image_proc_has_corrected_are_refused_at_once() -> None:
    words = ["-p", "undistort:=true", "-r", "camera/image_raw:=/left/image_rect_color"]
    command = [sys.executable, "-m", NODE, "--ros-args", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "the frames of /left/image_rect_color are corrected already" in ended.stderr
