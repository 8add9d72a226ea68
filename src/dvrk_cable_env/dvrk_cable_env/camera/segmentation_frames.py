"""Decodes a camera's messages, compressed or not, to pixels."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.compressed import decompressed
from dvrk_cable_env.camera.segmentation_view import Image as Pixels
from ls3_common import topics
from ls3_common.images import to_array


def camera_topic(compressed: bool) -> tuple[type, str]:
    """Return message type and name of the camera's topic, named as in image_transport."""
    if compressed:
        return CompressedImage, f"{topics.CAMERA_IMAGE}/compressed"
    return Image, topics.CAMERA_IMAGE


def pixels_of(message: Image | CompressedImage) -> Pixels:
    """Decode a camera message to pixels, uint8 (height, width, 3), RGB.

    Raises:
        ValueError: the encoding, size or bytes are not those of a picture.
    """
    if isinstance(message, Image):
        return np.ascontiguousarray(to_array(message))
    return decompressed(np.frombuffer(message.data, np.uint8), message.format)
