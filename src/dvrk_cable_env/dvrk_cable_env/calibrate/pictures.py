"""The pictures that a calibration writes, also the one by which a moved camera is recognised."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dvrk_cable_env.camera.pose_reference import registration_of
from dvrk_cable_env.camera.registration import RegistrationError
from dvrk_cable_env.camera.segmentation import Image, NodeConfig
from ls3_common.errors import UserError
from ls3_common.files import replacing


def write_picture(path: str | Path, rgb: Image) -> None:
    """Write a picture, uint8 (height, width, 3), as a PNG.

    Raises:
        UserError: the name's suffix is not that of a picture, or the file cannot be written.
    """
    try:
        with replacing(path) as part:
            if not cv2.imwrite(str(part), np.ascontiguousarray(rgb[..., ::-1])):
                raise OSError
    except (cv2.error, OSError):  # cv2.error: the suffix is not that of a picture
        do = "give a name that ends in .png"
        raise UserError("cannot be written", where=str(path), do=do) from None


def write_reference(path: Path, config: NodeConfig, rgb: Image) -> str:
    """Write a frame as the reference for the camera's pose, beside the parameter file `path`.

    Returns:
        The picture's absolute path, for the parameter `pose_reference`.

    Raises:
        UserError: the frame has too few edges, or the picture cannot be written.
    """
    try:
        registration_of(rgb, config)
    except RegistrationError as error:
        do = "put something with edges that never moves into the camera's view, or --no-reference"
        raise UserError(str(error), where="the frame", do=do) from None
    picture = path.resolve().with_suffix(".reference.png")
    write_picture(picture, rgb)
    return str(picture)
