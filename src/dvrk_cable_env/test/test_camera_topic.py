"""Which topics a node reads if the camera's topic has another name.

The class: remapping a base topic does not remap the topic that is derived from it. Its members: the
compressed frames and the camera_info of a camera. segmentation_node, teleop_node, calibrate and
preflight share the two functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.lens_topic import info_topic
from dvrk_cable_env.camera.segmentation_frames import camera_topic, subscribed_camera
from ls3_common.errors import ConfigError

pytestmark = pytest.mark.background

RAW, COMPRESSED = "camera/image_raw", "camera/image_raw/compressed"


@pytest.fixture
def make() -> Iterator[Callable[..., Node]]:
    """Makes a node in namespace /lab with these remappings."""
    made: list[tuple[Node, Context]] = []

    def node(*remappings: str) -> Node:
        context = Context()
        words = [word for remapping in remappings for word in ("-r", remapping)]
        rclpy.init(args=["--ros-args", *words], context=context)
        made.append((Node("camera_reader", namespace="/lab", context=context), context))
        return made[-1][0]

    yield node
    for one, context in made:
        one.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("remappings", "raw", "compressed", "info"),
    [
        ([], "/lab/camera/image_raw", "/lab/camera/image_raw/compressed", "/lab/camera"),
        ([f"{RAW}:=/left/image_raw"], "/left/image_raw", "/left/image_raw/compressed", "/left"),
        (
            [f"{RAW}:=/left/image_raw/compressed"],
            *("/left/image_raw", "/left/image_raw/compressed", "/left"),
        ),
        ([f"{RAW}:=top"], "/lab/top", "/lab/top/compressed", "/lab"),
        (
            [f"{COMPRESSED}:=/left/jpeg"],
            *("/lab/camera/image_raw", "/left/jpeg", "/lab/camera"),
        ),
        (
            [f"{RAW}:=/left/image_raw", "camera/camera_info:=/lens/camera_info"],
            *("/left/image_raw", "/left/image_raw/compressed", "/lens"),
        ),
    ],
)
def test_derived_topics_follow_the_cameras_topic(
    make: Callable[..., Node], remappings: list[str], raw: str, compressed: str, info: str
) -> None:
    node = make(*remappings)
    assert camera_topic(node, False) == (Image, raw)
    assert camera_topic(node, True) == (CompressedImage, compressed)
    assert info_topic(node, raw) == f"{info}/camera_info"
    if "jpeg" not in compressed:
        assert info_topic(node, compressed) == f"{info}/camera_info"


def test_a_compressed_topic_for_a_node_that_reads_raw_frames_is_refused(
    make: Callable[..., Node],
) -> None:
    node = make(f"{RAW}:=/left/image_raw/compressed")
    assert subscribed_camera(node, True)[1] == "/left/image_raw/compressed"
    with pytest.raises(ConfigError, match="/left/image_raw/compressed are compressed, but"):
        subscribed_camera(node, False)
