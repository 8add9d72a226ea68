"""Decodes compressed pictures, of a camera's topic as of a bag. No ROS."""

from __future__ import annotations

import cv2
import numpy as np

from dvrk_cable_env.camera.segmentation import FrameError, Image


def decompressed(data: np.ndarray, description: str) -> Image:
    """Decode the bytes of a sensor_msgs/CompressedImage, e.g. JPEG or PNG.

    Args:
        data: uint8 (bytes,).
        description: `format` of the message.

    Returns:
        Pixels, uint8 (height, width, 3), RGB.

    Raises:
        FrameError: the bytes are not those of a picture, or ask for a picture of absurd size.
    """
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (cv2.error, MemoryError):  # depending on what is wrong OpenCV raises, or returns None
        pixels = None
    if pixels is None:
        raise FrameError(f"OpenCV cannot read the compressed image ('{description}')")
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
