"""What a calibration begins with: the file's numbers, the frame's size, and whose lens it has."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dvrk_cable_env.camera.lens import Lens, LensError, read_calibration
from dvrk_cable_env.camera.segmentation import Image, NodeConfig
from ls3_common.errors import ConfigError, UserError
from ls3_common.parameters import read_section, to_dict

SECTION = "segmentation_node"
KEPT = ("width", "height", "crop_left", "crop_top", "crop_side")
"""Always written: the other numbers hold for this frame only."""
Values = dict[str, Any]


def given_in(path: Path) -> Values:
    """What the file says of segmentation_node; nothing where it does not exist or says nothing.

    Raises:
        ConfigError: it is not a ROS parameter file.
    """
    if not path.exists():
        return {}
    try:
        given = read_section(path, SECTION)
    except ConfigError as error:
        if error.what.startswith("no section"):
            return {}
        raise
    given.pop("use_sim_time", None)
    return given


def undistorted(asked: argparse.Namespace, given: Values) -> bool:
    """Whether frames are seen without their lens: as asked, or as the file has it.

    Raises:
        UserError: a lens is given that is not to be used, or a picture comes without its lens.
    """
    if asked.camera_info and (asked.undistort is False or not asked.source):
        do = "without it a camera's topic has its own camera_info, and --no-undistort needs none"
        raise UserError("--camera-info is the lens of the picture of --from", do=do)
    known = bool(given.get("undistort", False)) if asked.undistort is None else asked.undistort
    undistort = bool(known or asked.camera_info)
    if undistort and asked.source and not asked.camera_info:
        do = "--camera-info FILE, the YAML file that camera_calibration saved of this camera"
        raise UserError("undistort is true, and a picture has no camera_info", do=do)
    return undistort


def sized(given: Values, rgb: Image, crop: Sequence[int] | None) -> Values:
    """Size and crop for a frame: as asked, as they are, or the largest square in the middle.

    Raises:
        UserError: the workspace was calibrated with frames of another size.
    """
    height, width = rgb.shape[:2]
    known = to_dict(NodeConfig()) | given
    if (known["width"], known["height"]) != (width, height):
        if known["view_width"] or known["homography"]:
            raise UserError(
                f"the frame is {width} x {height}, the homography was found with frames of "
                f"{known['width']} x {known['height']}",
                do="take homography, view_width and view_centre out of the file, calibrate anew",
            )
        side = min(width, height)
        known |= {"crop_left": (width - side) // 2, "crop_top": (height - side) // 2}
        known |= {"width": width, "height": height, "crop_side": side}
    if crop:
        known |= dict(zip(("crop_left", "crop_top", "crop_side"), crop, strict=True))
    return {key: known[key] for key in KEPT}


def read_frame(path: str, camera_info: str = "") -> Image:
    """A picture from a file, uint8 (height, width, 3), RGB, without the lens of `camera_info`.

    Raises:
        UserError: there is none, or the lens is none or that of other pictures.
    """
    pixels = cv2.imread(path, cv2.IMREAD_COLOR)
    if pixels is None:
        raise UserError("no picture that OpenCV can read", where=path)
    rgb = np.ascontiguousarray(pixels[..., ::-1], np.uint8)
    if not camera_info:
        return rgb
    lens = Lens("")
    lens.hear(read_calibration(camera_info))
    try:
        return lens.correct(rgb)
    except LensError as error:
        raise UserError(str(error), where=camera_info) from None
