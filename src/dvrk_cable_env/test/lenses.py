"""Pictures through known lenses: what the tests of the correction are given."""

from __future__ import annotations

from array import array
from typing import Any

import cv2
import numpy as np

from dvrk_cable_env.camera.lens import Calibration

WIDTH, HEIGHT = 640, 480
RED, GREEN, BLUE = (200, 20, 20), (20, 180, 40), (20, 40, 200)
K = (460.0, 0.0, 331.0, 0.0, 455.0, 236.0, 0.0, 0.0, 1.0)
WIDE = (300.0, 0.0, 331.0, 0.0, 298.0, 236.0, 0.0, 0.0, 1.0)
LENSES = {
    "plumb_bob": Calibration(WIDTH, HEIGHT, "plumb_bob", K, (-0.32, 0.12, 0.001, -0.0015, -0.02)),
    "rational_polynomial": Calibration(
        *(WIDTH, HEIGHT, "rational_polynomial", K),
        (1.1, 0.06, 0.0008, -0.0006, 0.002, 1.45, 0.36, 0.01),
    ),
    "equidistant": Calibration(WIDTH, HEIGHT, "equidistant", WIDE, (0.02, -0.008, 0.004, -0.001)),
}


def workspace(cable_to: tuple[int, int] = (230, 370)) -> np.ndarray:
    """A grey table as a camera without a lens sees it, rgb8 (480, 640, 3)."""
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    points = np.array([(120, 90), (180, 160), (160, 260), cable_to], np.int32)
    cv2.polylines(rgb, [points], False, RED, 14, cv2.LINE_AA)
    cv2.circle(rgb, (330, 220), 48, BLUE, -1, cv2.LINE_AA)
    cv2.circle(rgb, (470, 360), 40, GREEN, -1, cv2.LINE_AA)
    return rgb


def through(lens: Calibration, rgb: np.ndarray) -> np.ndarray:
    """What the camera sees of a picture: each raw pixel asks where its ray comes from.

    The way back of `undistortion_maps`, by OpenCV's other functions: they solve for it.
    """
    k, d = np.array(lens.k).reshape(3, 3), np.array(lens.d)
    u, v = np.meshgrid(np.arange(lens.width, dtype=float), np.arange(lens.height, dtype=float))
    raw = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    if lens.model == "equidistant":
        ideal = cv2.fisheye.undistortPoints(raw, k, d, P=k)
    else:
        enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-8)
        ideal = cv2.undistortPointsIter(raw, k, d, np.eye(3), k, enough)
    maps = ideal.reshape(lens.height, lens.width, 2).astype(np.float32)
    grey = (90, 90, 90)
    return cv2.remap(
        rgb, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey
    )


def message_of(lens: Calibration, **fields: Any) -> Any:
    """The sensor_msgs/CameraInfo of a lens."""
    from sensor_msgs.msg import CameraInfo

    message = CameraInfo(width=lens.width, height=lens.height, distortion_model=lens.model)
    message.k, message.d = np.array(lens.k), array("d", lens.d)
    message.r, message.p = np.eye(3).ravel(), np.eye(3, 4).ravel()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / (one | other).sum())
