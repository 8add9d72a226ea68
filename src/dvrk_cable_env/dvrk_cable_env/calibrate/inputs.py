"""The inputs of a calibration: the parameter file's values, the frame and its lens."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dvrk_cable_env.camera.lens import Lens, LensError, read_calibration
from dvrk_cable_env.camera.segmentation import Image, NodeConfig
from ls3_common.errors import UserError
from ls3_common.parameter_files import read_node
from ls3_common.parameters import to_dict

SECTION = "segmentation_node"
KEPT = ("width", "height", "crop_left", "crop_top", "crop_side")
"""Parameters that are always saved, because the others hold for this frame size and crop only."""
Values = dict[str, Any]


def file_parameters(path: Path) -> Values:
    """Return the file's parameters of segmentation_node; empty without such a file or section.

    Raises:
        ConfigError: the file is not a ROS parameter file.
    """
    if not path.exists():
        return {}
    return read_node(path, SECTION)


def wants_undistortion(arguments: argparse.Namespace, given: Values) -> bool:
    """Whether to correct the lens of frames: as the command line says, else as the file says.

    Raises:
        UserError: `--camera-info` is given without need, or is missing for a picture.
    """
    if arguments.camera_info and (arguments.undistort is False or not arguments.source):
        do = "leave it out: a camera's topic has its own camera_info, --no-undistort needs none"
        raise UserError("--camera-info is only for undistorting the picture of --from", do=do)
    in_file = bool(given.get("undistort", False))
    known = in_file if arguments.undistort is None else arguments.undistort
    undistort = bool(known or arguments.camera_info)
    if undistort and arguments.source and not arguments.camera_info:
        do = "add --camera-info FILE, the YAML file that camera_calibration saved for this camera"
        raise UserError("undistort is true, but a picture has no camera_info", do=do)
    return undistort


def size_and_crop(given: Values, rgb: Image, crop: Sequence[int] | None) -> Values:
    """Choose frame size and square crop, as parameters of segmentation_node (`KEPT`, all in px).

    Args:
        given: parameters in the file.
        rgb: the frame, uint8 (height, width, 3).
        crop: (left, top, side), px; None for the file's crop if it is for frames of this size, else
            the largest square in the middle.

    Returns:
        width, height, crop_left, crop_top and crop_side by name.

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
                do="remove homography, view_width and view_centre from the file, calibrate again",
            )
        side = min(width, height)
        known |= {"crop_left": (width - side) // 2, "crop_top": (height - side) // 2}
        known |= {"width": width, "height": height, "crop_side": side}
    if crop:
        known |= dict(zip(("crop_left", "crop_top", "crop_side"), crop, strict=True))
    return {key: known[key] for key in KEPT}


def read_frame(path: str, camera_info: str = "") -> Image:
    """Read a picture from a file, and correct its lens if `camera_info` names a file.

    Args:
        path: a picture that OpenCV can read.
        camera_info: the YAML file that camera_calibration saved; empty: do not correct.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        UserError: a file cannot be read, or the lens is that of frames of another size.
    """
    pixels = cv2.imread(path, cv2.IMREAD_COLOR)
    if pixels is None:
        raise UserError("OpenCV cannot read this picture", where=path)
    rgb = np.ascontiguousarray(pixels[..., ::-1], np.uint8)
    if not camera_info:
        return rgb
    lens = Lens("")
    lens.receive(read_calibration(camera_info))
    try:
        return lens.correct(rgb)
    except LensError as error:
        raise UserError(str(error), where=camera_info) from None
