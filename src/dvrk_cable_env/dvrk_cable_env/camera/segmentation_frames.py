"""A camera's messages, compressed or not, as pixels."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.segmentation_view import Image as Pixels
from ls3_common import topics
from ls3_common.images import to_array


def camera_topic(compressed: bool) -> tuple[type, str]:
    """Type and name of the camera's topic, named as image_transport names them."""
    if compressed:
        return CompressedImage, f"{topics.CAMERA_IMAGE}/compressed"
    return Image, topics.CAMERA_IMAGE


def pixels_of(message: Image | CompressedImage) -> Pixels:
    """Pixels of a frame, uint8 (height, width, 3), RGB.

    Raises:
        ValueError: encoding, size or bytes are not those of a picture.
    """
    if isinstance(message, Image):
        return np.ascontiguousarray(to_array(message))
    data = np.frombuffer(message.data, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError(f"a compressed image ('{message.format}') that OpenCV cannot read")
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
