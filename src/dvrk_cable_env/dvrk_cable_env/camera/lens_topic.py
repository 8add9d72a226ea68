"""Subscribes to the camera_info beside a camera's topic, for the lens of its frames."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from sensor_msgs.msg import CameraInfo

from dvrk_cable_env.camera.lens import Lens, LensError, calibration_of
from dvrk_cable_env.camera.segmentation_view import Image
from ls3_common import qos, topics
from ls3_common.errors import ConfigError

LOOK_PERIOD = 0.25
"""Wall seconds between looks at what the publishers of camera_info offer."""


def info_topic(node: Node, camera: str) -> str:
    """Return the full name of the camera_info topic that belongs to a camera's topic.

    The camera_info follows a remapping of the camera's topic, as in image_transport, unless
    camera_info itself is remapped.

    Args:
        node: the node that subscribes.
        camera: the camera's topic as the node subscribes to it.
    """
    for image in (camera, topics.CAMERA_IMAGE):
        own = topics.of_camera(image, "camera_info")
        given = node.resolve_topic_name(own)
        if given != node.resolve_topic_name(own, only_expand=True):
            return given
    return topics.of_camera(node.resolve_topic_name(camera), "camera_info")


class LensTopic(Lens):
    """A lens that follows the camera_info topic, whatever quality of service the publisher offers.

    Most drivers publish camera_info volatile with every frame; a best-effort subscription matches
    all of them. Some drivers latch camera_info and publish it once: when such a publisher is seen,
    a latched subscription is added. A latched subscription from the start would make the other
    drivers warn about an incompatible subscriber.

    topic: full name of the camera_info topic.
    """

    def __init__(self, node: Node, camera: str) -> None:
        """Subscribe on `node` to the camera_info beside the topic `camera`."""
        self._node, self.topic = node, info_topic(node, camera)
        super().__init__(f"undistort is true, but no camera_info has arrived on {self.topic}")
        node.create_subscription(CameraInfo, self.topic, self._on_info, qos.BEST_EFFORT)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(LOOK_PERIOD, self._find_latched, clock=steady)

    def fault(self, rgb: Image) -> str:
        """Return why a frame, uint8 (height, width, 3), cannot be corrected; empty if it can."""
        count = self._node.count_publishers(self.topic)
        if count > 1:
            return f"{self.topic} has {count} publishers"
        try:
            self.correct(rgb)
        except LensError as error:
            return str(error)
        return ""

    def _find_latched(self) -> None:
        found = self._node.get_publishers_info_by_topic(self.topic)
        latched = DurabilityPolicy.TRANSIENT_LOCAL
        if any(info.qos_profile.durability == latched for info in found):
            self._node.create_subscription(CameraInfo, self.topic, self._on_info, qos.LATCHED)
            self._timer.cancel()

    def _on_info(self, message: CameraInfo) -> None:
        self.receive(calibration_of(message))


def refuse_corrected(node: Node, camera: str) -> None:
    """Refuse a topic whose frames image_proc has corrected already.

    Raises:
        ConfigError: the name of the topic is one of image_proc's, e.g. `image_rect`.
    """
    topic = node.resolve_topic_name(camera)
    if "image_rect" in topic.rsplit("/compressed", 1)[0].rpartition("/")[2]:
        raise ConfigError(
            f"undistort is true, but the frames of {topic} are corrected already",
            where=node.get_fully_qualified_name(),
            do="set undistort: false, or use the raw topic of the camera",
        )
