"""A full-size camera at full rate through segmentation_node: every frame becomes a mask."""

from __future__ import annotations

import time
from array import array
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image

from ls3_common import qos

NODE = "dvrk_cable_env.camera.segmentation_node"
WIDTH, HEIGHT, RATE_HZ, FRAMES = 640, 480, 30, 300
ATTEMPTS = 3
"""One without a loss is asked for: a late reader is kept ten frames, 0.33 s, and a busy computer
may not run it for longer. Without the transport's profile nine frames of ten are lost in each."""


def pixels() -> np.ndarray:
    """A cable on a grey table, rgb8."""
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    cv2.line(rgb, (120, 100), (400, 300), (200, 20, 20), 12)
    return rgb


def frame() -> Image:
    data = array("B", pixels().tobytes())
    return Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH, data=data)


def send(camera: Any, first: int) -> float:
    """Publish FRAMES frames at RATE_HZ, stamps `first` + i ns; how late one was at most (s)."""
    message = frame()
    latest, began = 0.0, time.monotonic()
    for index in range(FRAMES):
        due = began + index / RATE_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        latest = max(latest, time.monotonic() - due)
        message.header.stamp.nanosec = first + index
        camera.publish(message)
    return latest


def test_no_frame_of_640x480_at_30_hz_is_lost(bench: Any) -> None:
    masks: list[int] = []
    bench.node.create_subscription(
        Image,
        "segmentation/mask",
        lambda mask: masks.append(mask.header.stamp.nanosec),
        qos.BEST_EFFORT,
    )
    # as most camera drivers offer their frames; a reliable offer matches as well
    camera = bench.node.create_publisher(Image, "camera/image_raw", qos.RELIABLE)
    with bench.start(NODE, width=WIDTH, height=HEIGHT, crop_left=80, crop_side=480) as child:
        bench.matched(camera)
        bench.until(lambda: bench.node.count_publishers("segmentation/mask") == 1)
        for attempt in range(ATTEMPTS):
            masks.clear()
            first = 1000 * (attempt + 1)
            latest = send(camera, first)
            expected = list(range(first, first + FRAMES))
            time.sleep(1.0)
            print(f"sent up to {latest:.3f} s late, {FRAMES - len(masks)} masks missing")
            if masks == expected:
                break
        assert child.runs, "segmentation_node died"
    assert masks == expected
