"""Decodes a camera's messages, compressed or not, to pixels."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.compressed import decompressed
from dvrk_cable_env.camera.segmentation_view import Image as Pixels
from ls3_common import topics
from ls3_common.errors import ConfigError
from ls3_common.images import to_array

COMPRESSED = "/compressed"
"""What image_transport appends to the name of a camera's topic."""


def camera_topic(node: Node, compressed: bool) -> tuple[type, str]:
    """Return message type and full name of the camera's topic.

    As in image_transport, the compressed topic follows a remapping of the camera's topic, unless
    the compressed topic itself is remapped. A remapping to the compressed topic is understood too.
    """
    base = node.resolve_topic_name(topics.CAMERA_IMAGE).removesuffix(COMPRESSED)
    if not compressed:
        return Image, base
    own = f"{topics.CAMERA_IMAGE}{COMPRESSED}"
    given = node.resolve_topic_name(own)
    if given != node.resolve_topic_name(own, only_expand=True):
        return CompressedImage, given
    return CompressedImage, f"{base}{COMPRESSED}"


def subscribed_camera(node: Node, compressed: bool) -> tuple[type, str]:
    """Return `camera_topic` for a node whose parameter `compressed` chooses one of the two.

    Raises:
        ConfigError: the camera's topic is remapped to a compressed one, but `compressed` is false.
    """
    topic = node.resolve_topic_name(topics.CAMERA_IMAGE)
    if topic.endswith(COMPRESSED) and not compressed:
        raise ConfigError(
            f"the frames of {topic} are compressed, but compressed is false",
            where=node.get_fully_qualified_name(),
            do="set compressed: true, or name the camera's topic without /compressed",
        )
    return camera_topic(node, compressed)


def pixels_of(message: Image | CompressedImage) -> Pixels:
    """Decode a camera message to pixels, uint8 (height, width, 3), RGB.

    Raises:
        ValueError: the encoding, size or bytes are not those of a picture.
    """
    if isinstance(message, Image):
        return np.ascontiguousarray(to_array(message))
    return decompressed(np.frombuffer(message.data, np.uint8), message.format)
