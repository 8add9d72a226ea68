"""The check that camera and arm look at the same table, through a lens that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.camera.segmentation_view import to_pixels
from dvrk_cable_env.preflight.seen import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    PreflightConfig,
    Seen,
)


def calibration(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """The lens is corrected where that is asked for, and the camera sees all of the box in which
    the arm may work, by the workspace calibration.
    """
    if seen.segmentation is not None and seen.segmentation.undistort and seen.lens_fault:
        do = "have the driver publish camera_info, or set undistort: false and calibrate anew"
        return CheckResult("calibration", FAILED, seen.lens_fault, do)
    if seen.arm is None or seen.segmentation is None:
        silent = "arm_node" if seen.arm is None else "segmentation_node"
        return CheckResult("calibration", FAILED, f"{silent} does not answer", START)
    have = seen.segmentation
    if not have.homography:
        what = "camera and arm are not calibrated to one another"
        if seen.simulated:
            return CheckResult("calibration", OK, f"{what} (simulated)")
        return CheckResult(
            "calibration", WARNING, what, "ros2 run dvrk_cable_env calibrate, --point"
        )
    low, high = seen.arm.limits.low, seen.arm.limits.high
    hidden = unseen_corner(have, low, high)
    if hidden:
        do = "a smaller box, a wider view, or calibrate anew if the camera was moved"
        return CheckResult(
            "calibration", FAILED, f"the camera does not see {hidden} of the box", do
        )
    return CheckResult("calibration", OK, "the camera sees the whole box")


def unseen_corner(config: SegmentationConfig, low: ArrayLike, high: ArrayLike) -> str:
    """The corner (x, y) of the robot's box that lies outside the scene, or an empty text.

    Args:
        low, high: least and greatest (x, y) in metres; `config.homography` must be there.
    """
    (left, bottom), (right, top) = np.asarray(low, float), np.asarray(high, float)
    corners = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
    if config.view_width > 0:
        distance = np.abs(corners - np.asarray(config.view_centre)).max(axis=1)
        outside = distance > config.view_width / 2
    else:
        begin = np.array([config.crop_left, config.crop_top]) - 0.5
        pixels = to_pixels(config.homography, corners)
        outside = ~((pixels >= begin) & (pixels <= begin + config.crop_side)).all(axis=1)
    return str(tuple(corners[outside][0].round(4).tolist())) if outside.any() else ""
