"""Conversion of sensor_msgs/Image to and from numpy (8-bit encodings), and stacks of frames."""

from __future__ import annotations

import re
from array import array
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

ENCODINGS = {"mono8": 1, "rgb8": 3, "bgr8": 3}
"""Number of channels by encoding."""
OTHER = re.compile(r"8UC([1-9]\d?)")
"""Encodings that name only a number of channels, for images that are neither grey nor RGB."""


def to_array(message: Image) -> np.ndarray:
    """Return the pixels of a message as uint8 (height, width, channel); three channels are RGB.

    Raises:
        ValueError: the encoding is not known, or the data's length contradicts the image's size.
    """
    other = OTHER.fullmatch(message.encoding)
    channels = int(other[1]) if other else ENCODINGS.get(message.encoding)
    if channels is None:
        known = ", ".join(ENCODINGS)
        raise ValueError(f"image encoding '{message.encoding}' is none of {known}, 8UC<n>")
    height, width, step = message.height, message.width, message.step
    if height == 0 or step < width * channels or len(message.data) != height * step:
        raise ValueError(
            f"image of {len(message.data)} bytes is not {width}x{height} {message.encoding}"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)
    pixels = rows[:, : width * channels].reshape(height, width, channels)
    return pixels[..., ::-1] if message.encoding == "bgr8" else pixels


def to_message(pixels: np.ndarray, header: Header) -> Image:
    """Make a message of uint8 pixels (height, width, channel); three channels are RGB."""
    from sensor_msgs.msg import Image

    height, width, channels = pixels.shape
    return Image(
        header=header,
        height=height,
        width=width,
        encoding={1: "mono8", 3: "rgb8"}.get(channels, f"8UC{channels}"),
        step=width * channels,
        data=array("B", pixels.tobytes()),  # rclpy checks any other type byte by byte
    )


def newest(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return the newest of stacked frames (..., channel); `channels` is the number in one frame.

    The oldest frame comes first in a stack.
    """
    return pixels[..., -channels:]


def coloured(frame: np.ndarray) -> np.ndarray:
    """Return one frame (..., channel) for display, (..., 3).

    Three channels are RGB. Other numbers of channels are averaged to grey.
    """
    if frame.shape[-1] == 3:
        return frame
    grey = frame.mean(axis=-1, keepdims=True).astype(frame.dtype)
    return np.repeat(grey, 3, axis=-1)


class FrameStack:
    """The last frames of a camera as one observation, the newest last (Table 3, "frame stack").

    At the beginning of a scene the first frame fills the places of the missing earlier frames.

    Args:
        frames: how many frames an observation holds.
    """

    def __init__(self, frames: int) -> None:
        self._count = frames
        self._frames: deque[np.ndarray] = deque(maxlen=frames)

    def clear(self) -> None:
        """Forget all frames, before the first frame of another scene."""
        self._frames.clear()

    def drop_newest(self) -> None:
        """Forget the newest frame, if there is one."""
        if self._frames:
            self._frames.pop()

    def add(self, pixels: np.ndarray) -> np.ndarray:
        """Add a frame (height, width, channel); return (height, width, frames * channel)."""
        self._frames.append(pixels)
        first = [self._frames[0]] * (self._count - len(self._frames))
        return np.concatenate([*first, *self._frames], axis=-1)


FRAME_GAP_S = 0.5
"""Longest time between two frames of one stack, unless a parameter says otherwise, s."""


class StampedFrameStack:
    """A frame stack that recognizes the beginning of a scene by the frames' stamps.

    A frame with the stamp of the newest frame replaces the newest frame. A stamp that goes back, or
    forward by more than `gap_s`, begins another scene.

    Args:
        frames: how many frames an observation holds.
        gap_s: longest time between two frames of one scene (s).
    """

    def __init__(self, frames: int, gap_s: float) -> None:
        self._stack = FrameStack(frames)
        self._gap_ns = int(gap_s * 1e9)
        self._newest = 0

    def add(self, stamp_ns: int, pixels: np.ndarray) -> np.ndarray:
        """Add a frame (height, width, channel); return (height, width, frames * channel)."""
        if not 0 <= stamp_ns - self._newest <= self._gap_ns:
            self._stack.clear()
        elif stamp_ns == self._newest:
            self._stack.drop_newest()
        self._newest = stamp_ns
        return self._stack.add(pixels)
