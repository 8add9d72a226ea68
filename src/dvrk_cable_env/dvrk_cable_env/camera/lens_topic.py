"""The camera_info beside a camera's topic, as the lens of its frames."""

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
    """Full name of the camera_info of a camera's topic, `camera` as the node subscribes to it.

    It follows where the camera's topic was remapped to, as image_transport has it, unless it was
    remapped itself.
    """
    own = topics.beside(camera, "camera_info")
    given = node.resolve_topic_name(own)
    if given != node.resolve_topic_name(own, only_expand=True):
        return given
    return topics.beside(node.resolve_topic_name(camera), "camera_info")


class LensTopic(Lens):
    """Hears every camera_info, whatever its publisher offers.

    Drivers offer it reliable and volatile, once per frame, and a reader that asks for nothing
    matches them all. Some latch it and say it once: whoever is seen to do so is asked for that
    too. To ask everybody would have the others warn of a reader that they cannot serve.
    """

    def __init__(self, node: Node, camera: str) -> None:
        self._node, self.topic = node, info_topic(node, camera)
        super().__init__(f"undistort is true, and no camera_info has come on {self.topic}")
        node.create_subscription(CameraInfo, self.topic, self._on_info, qos.BEST_EFFORT)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(LOOK_PERIOD, self._look, clock=steady)

    def fault(self, rgb: Image) -> str:
        """Why this frame cannot be corrected for certain, or an empty text."""
        count = self._node.count_publishers(self.topic)
        if count > 1:
            return f"{self.topic} has {count} publishers"
        try:
            self.correct(rgb)
        except LensError as error:
            return str(error)
        return ""

    def _look(self) -> None:
        found = self._node.get_publishers_info_by_topic(self.topic)
        latched = DurabilityPolicy.TRANSIENT_LOCAL
        if any(info.qos_profile.durability == latched for info in found):
            self._node.create_subscription(CameraInfo, self.topic, self._on_info, qos.LATCHED)
            self._timer.cancel()

    def _on_info(self, message: CameraInfo) -> None:
        self.hear(calibration_of(message))


def refuse_corrected(node: Node, camera: str) -> None:
    """A lens is corrected once.

    Raises:
        ConfigError: the topic is one of image_proc's, whose frames are corrected already.
    """
    topic = node.resolve_topic_name(camera)
    if "image_rect" in topic.rsplit("/compressed", 1)[0].rpartition("/")[2]:
        raise ConfigError(
            f"undistort is true, and the frames of {topic} are corrected already",
            where=node.get_fully_qualified_name(),
            do="undistort: false, or the raw topic of the camera",
        )
