"""segmentation_node as a process: a mask for every good frame, nothing for any other."""

from __future__ import annotations

import time
from array import array
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_common import qos
from ls3_interfaces.msg import TaskState

NODE = "dvrk_cable_env.camera.segmentation_node"
RED, GREEN, BLUE = (200, 20, 20), (20, 180, 40), (20, 40, 200)


def scene(cable_to: tuple[int, int] | None = (40, 100)) -> np.ndarray:
    """A grey table with obstacle and goal, and a cable from the left, rgb8 (128, 128, 3)."""
    rgb = np.full((128, 128, 3), 90, np.uint8)
    cv2.circle(rgb, (64, 80), 14, BLUE, -1)
    cv2.circle(rgb, (105, 80), 10, GREEN, -1)
    if cable_to:
        cv2.line(rgb, (8, 30), cable_to, RED, 4)
    return rgb


def image(pixels: np.ndarray, encoding: str = "rgb8", second: int = 12, **fields: Any) -> Image:
    height, width = pixels.shape[:2]
    message = Image(
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.strides[0],
        data=array("B", pixels.tobytes()),
    )
    message.header.frame_id = "camera"
    message.header.stamp.sec, message.header.stamp.nanosec = second, 345
    for name, value in fields.items():
        setattr(message, name, value)
    return message


class Rig:
    """A camera for one segmentation_node, and what the node publishes."""

    def __init__(self, bench: Any, namespace: str = "") -> None:
        self.bench = bench
        self.masks = bench.collect(Image, f"{namespace}/segmentation/mask")
        self.states = bench.collect(TaskState, f"{namespace}/task_state")
        self.diagnostics = bench.collect(DiagnosticArray, "/diagnostics")
        self.camera = bench.node.create_publisher(
            Image, f"{namespace}/camera/image_raw", qos.RELIABLE
        )
        bench.matched(self.camera)

        def seen() -> bool:  # a best-effort reader may miss frames until both sides know
            self.camera.publish(image(scene(None), second=1))
            time.sleep(0.1)
            return bool(self.masks)

        bench.until(seen)

    def mask_of(self, message: Image) -> np.ndarray:
        self.masks.clear()
        self.camera.publish(message)
        mask = self.bench.until(lambda: self.masks)[0]
        assert mask.header == message.header
        assert (mask.encoding, mask.height, mask.width, mask.step) == ("mono8", 64, 64, 64)
        return np.frombuffer(mask.data, np.uint8).reshape(64, 64)

    def status(self) -> dict[str, str]:
        """The newest status on /diagnostics."""
        if not self.diagnostics:
            return {}
        status = self.diagnostics[-1].status[0]
        values = {pair.key: pair.value for pair in status.values}
        return {"level": str(status.level[0]), "message": status.message, **values}


@pytest.fixture(scope="module")
def rig(bench: Any) -> Any:
    with bench.start(NODE) as child:
        yield Rig(bench)
        assert child.runs, "segmentation_node died"


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_the_mask_is_the_pure_functions_with_the_frames_own_header(rig: Any, encoding: str) -> None:
    rgb = scene()
    pixels = np.ascontiguousarray(rgb[..., ::-1]) if encoding == "bgr8" else rgb
    mask = rig.mask_of(image(pixels, encoding))
    np.testing.assert_array_equal(mask, segment_cable(rgb))
    assert 20 < (mask > 127).sum() < 400, "a thin cable"
    assert mask[40, 32] == 0, "the obstacle is not in it"


def test_padded_rows_are_understood(rig: Any) -> None:
    rgb = scene()
    padded = np.zeros((128, 400), np.uint8)
    padded[:, :384] = rgb.reshape(128, 384)
    message = image(rgb, step=400, data=array("B", padded.tobytes()))
    np.testing.assert_array_equal(rig.mask_of(message), segment_cable(rgb))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (image(scene()[:64, :64].copy()), "shape is (64, 64, 3), expected (128, 128, 3)"),
        (image(np.zeros((128, 128, 3), np.uint8)), "the frame is black"),
        (image(scene()[..., 0].copy(), "mono8"), "shape is (128, 128, 1)"),
        (image(scene(), "16UC3"), "encoding '16UC3'"),
        (image(scene(), height=200), "bytes is not 128x200"),
        (image(scene(), data=array("B", [7] * 100)), "image of 100 bytes"),
        (image(scene(), data=array("B"), height=0, width=0, step=0), "image of 0 bytes"),
    ],
)
def test_a_bad_frame_is_dropped_and_counted_with_its_reason(
    rig: Any, message: Image, reason: str
) -> None:
    message.header.stamp.sec = 666
    rig.masks.clear()
    rig.camera.publish(message)
    rig.bench.until(lambda: reason in rig.status().get("message", ""))
    status = rig.status()
    assert status["level"] == "1" and int(status["refused"]) >= 1
    assert rig.masks == []
    rig.mask_of(image(scene(), second=13))  # and the next good one passes
    assert [mask.header.stamp.sec for mask in rig.masks] == [13]


def test_diagnostics_recover_with_the_next_good_frame(rig: Any) -> None:
    rig.camera.publish(image(np.zeros((128, 128, 3), np.uint8)))
    rig.bench.until(lambda: rig.status().get("level") == "1")
    rig.mask_of(image(scene()))
    rig.bench.until(lambda: rig.status()["level"] == "0")
    assert rig.status()["message"] == "ok"


def test_simulation_leaves_the_task_state_to_physics(rig: Any) -> None:
    rig.mask_of(image(scene()))
    assert rig.states == [] and rig.bench.node.count_publishers("task_state") == 0


def test_task_state_by_colour_from_the_reference_frame(bench: Any) -> None:
    with bench.start(NODE, namespace="/robot", publish_task_state=True):
        rig = Rig(bench, "/robot")  # its first frame, of the bare scene, is the reference

        def judged(rgb: np.ndarray, second: int) -> tuple[bool, bool]:
            rig.camera.publish(image(rgb, second=second))
            found = bench.until(
                lambda: [state for state in rig.states if state.header.stamp.sec == second]
            )
            return found[0].success, found[0].constraint

        assert judged(scene(None), 2) == (False, False)
        assert judged(scene((105, 80)), 3)[0], "the cable ends in the goal"
        assert judged(scene((52, 72)), 4) == (False, True), "the cable touches the obstacle"
        assert judged(scene((30, 110)), 5) == (False, False)
        # the table was turned: the operator takes a new reference
        turned = np.ascontiguousarray(scene(None)[:, ::-1])
        assert bench.call("/robot/segmentation_node/reference").success
        assert judged(turned, 6) == (False, False)
        cable = turned.copy()
        cv2.line(cable, (22, 20), (22, 80), RED, 4)
        assert judged(cable, 7) == (True, False)
        # a reference without goal and obstacle is none
        assert bench.call("/robot/segmentation_node/reference").success
        rig.masks.clear()
        rig.camera.publish(image(np.full((128, 128, 3), 90, np.uint8), second=8))
        bench.until(lambda: "shows no obstacle" in rig.status().get("message", ""))
        assert rig.masks == [] and judged(turned, 9) == (False, False)


def test_a_compressed_camera_gives_the_same_masks_and_broken_pictures_none(bench: Any) -> None:
    """PNG loses nothing; a cut-off or empty one is no picture. The table is rectified too."""
    pixel = 0.3 / 128
    flat = [pixel, 0.0, -63.5 * pixel, 0.0, -pixel, 63.5 * pixel, 0.0, 0.0, 1.0]
    with bench.start(
        NODE, namespace="/jpeg", compressed=True, homography=flat, view_width=0.3
    ) as child:
        camera = bench.node.create_publisher(
            CompressedImage, "/jpeg/camera/image_raw/compressed", qos.RELIABLE
        )
        masks = bench.collect(Image, "/jpeg/segmentation/mask")
        bench.matched(camera)
        done, png = cv2.imencode(".png", scene()[..., ::-1])
        assert done
        good = CompressedImage(format="png", data=array("B", png.tobytes()))
        good.header.stamp.sec = 5

        def seen() -> bool:
            camera.publish(good)
            time.sleep(0.1)
            return bool(masks)

        bench.until(seen)
        time.sleep(0.2)
        masks.clear()
        for data in (png.tobytes()[:100], b"", b"no picture"):
            bad = CompressedImage(format="png", data=array("B", data))
            bad.header.stamp.sec = 6
            camera.publish(bad)
        good.header.stamp.sec = 7
        camera.publish(good)
        bench.until(lambda: masks)
        assert [mask.header.stamp.sec for mask in masks] == [7]
        found = np.frombuffer(masks[0].data, np.uint8).reshape(64, 64)
        np.testing.assert_array_equal(found, segment_cable(scene()))
        assert child.runs
