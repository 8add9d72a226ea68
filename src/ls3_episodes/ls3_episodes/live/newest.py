"""Keeps the newest message of frequent topics as bytes, until somebody wants to read it."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from PIL import Image as Picture
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from ls3_common import qos
from ls3_common.images import to_array


class NewestMessages:
    """Subscribes to topics; a message that nobody reads costs next to nothing."""

    def __init__(self, node: Node) -> None:
        """Keep messages that `node` receives."""
        self._node = node
        self._kinds: dict[str, type] = {}
        self._kept: dict[str, tuple[bytes, float]] = {}

    def keep(self, stream: str, kind: type, topic: str) -> None:
        """Subscribe to a topic of messages of the class `kind`, known as `stream` from now on."""

        def take(data: bytes) -> None:
            self._kept[stream] = data, time.monotonic()

        self._kinds[stream] = kind
        self._node.create_subscription(kind, topic, take, qos.BEST_EFFORT, raw=True)

    def message(self, stream: str) -> tuple[Any, float] | None:
        """Return the newest message and when it came (s, monotonic); None if it was read before."""
        data, came = self._kept.pop(stream, (b"", 0.0))
        return (deserialize_message(data, self._kinds[stream]), came) if data else None

    def image(self, stream: str) -> tuple[np.ndarray, float] | None:
        """Return the newest image, uint8 (height, width, channels), and when it came.

        Returns:
            None if the image was read before, or the message holds none.
        """
        found = self.message(stream)
        if found is None:
            return None
        message, came = found
        try:
            if isinstance(message, Image):
                return to_array(message), came
            with Picture.open(io.BytesIO(message.data)) as compressed:
                return np.asarray(compressed.convert("RGB")), came
        except (ValueError, OSError, Picture.DecompressionBombError):
            return None  # segmentation_node reports such a frame
