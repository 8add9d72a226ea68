"""The picture of the static scene, by which segmentation_node finds out how the camera moved."""

from __future__ import annotations

import cv2
import numpy as np

from dvrk_cable_env.camera.registration import Registration, RegistrationError
from dvrk_cable_env.camera.segmentation import Image, NodeConfig, in_range, to_hsv, used_part
from ls3_common.errors import ConfigError


def registration_of(reference: Image, config: NodeConfig) -> Registration:
    """Compare frames with a reference, uint8 (height, width, 3), of which the cable is left out.

    Raises:
        RegistrationError: the picture has too few edges.
    """
    cable = in_range(to_hsv(reference), config.cable_low, config.cable_high)
    return Registration(reference, cable, config.registration, used_part(config))


def read_reference(config: NodeConfig) -> Registration | None:
    """Read the picture that `pose_reference` names; None if it names none.

    Raises:
        ConfigError: the picture cannot be read, has another size than the frames, or has too few
            edges.
    """
    if not config.pose_reference:
        return None
    do = "run `calibrate FILE --reference`, or leave pose_reference empty"
    pixels = cv2.imread(config.pose_reference, cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError("pose_reference is no picture", where=config.pose_reference, do=do)
    height, width = pixels.shape[:2]
    if (width, height) != (config.width, config.height):
        raise ConfigError(
            f"pose_reference is {width} x {height}, the frames are {config.width} x "
            f"{config.height}",
            where=config.pose_reference,
            do=do,
        )
    try:
        return registration_of(np.ascontiguousarray(pixels[..., ::-1]), config)
    except RegistrationError as error:
        raise ConfigError(str(error), where=config.pose_reference, do=do) from None
