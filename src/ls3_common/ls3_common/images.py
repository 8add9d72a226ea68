"""sensor_msgs/Image to and from numpy, for the 8-bit encodings the stack uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sensor_msgs.msg import Image

ENCODINGS = {"mono8": 1, "rgb8": 3, "bgr8": 3}


def to_array(message: Image) -> np.ndarray:
    """Pixels of a message as uint8 (height, width, channel), RGB where there is colour.

    Raises:
        ValueError: an encoding that is not known, or a size that the data does not have.
    """
    channels = ENCODINGS.get(message.encoding)
    if channels is None:
        known = ", ".join(ENCODINGS)
        raise ValueError(f"image encoding '{message.encoding}' is none of {known}")
    height, width, step = message.height, message.width, message.step
    if height == 0 or step < width * channels or len(message.data) != height * step:
        raise ValueError(
            f"image of {len(message.data)} bytes is not {width}x{height} {message.encoding}"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)
    pixels = rows[:, : width * channels].reshape(height, width, channels)
    return pixels[..., ::-1] if message.encoding == "bgr8" else pixels
