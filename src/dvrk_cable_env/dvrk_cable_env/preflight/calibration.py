"""The check that the camera sees the arm's workspace, through a lens that is corrected. No ROS."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.camera.segmentation_view import to_pixels
from dvrk_cable_env.preflight.findings import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    Findings,
    PreflightConfig,
)


def calibration(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the camera sees the arm's whole workspace box, through a known lens."""
    segmentation = findings.segmentation
    if segmentation is not None and segmentation.undistort and findings.lens_fault:
        do = "have the driver publish camera_info, or set undistort: false and calibrate again"
        return CheckResult("calibration", FAILED, findings.lens_fault, do)
    if findings.arm is None or segmentation is None:
        silent = "arm_node" if findings.arm is None else "segmentation_node"
        return CheckResult("calibration", FAILED, f"{silent} does not answer", START)
    if not segmentation.homography:
        what = "camera and arm are not calibrated to each other"
        if findings.simulated:
            return CheckResult("calibration", OK, f"{what} (simulated)")
        do = "ros2 run dvrk_cable_env calibrate FILE --point U V X Y"
        return CheckResult("calibration", WARNING, what, do)
    low, high = findings.arm.limits.low, findings.arm.limits.high
    hidden = unseen_corner(segmentation, low, high)
    if hidden:
        do = "make the box smaller or the view wider; calibrate again if the camera was moved"
        return CheckResult(
            "calibration", FAILED, f"the camera does not see {hidden} of the box", do
        )
    return CheckResult("calibration", OK, "the camera sees the whole box")


def unseen_corner(config: SegmentationConfig, low: ArrayLike, high: ArrayLike) -> str:
    """Return a corner (x, y) of the arm's box that lies outside the scene; empty if none does.

    Args:
        config: crop or view of the scene, with a homography.
        low, high: lower and upper corner (x, y) of the box, m.
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
