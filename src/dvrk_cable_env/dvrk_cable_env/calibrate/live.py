"""What `calibrate` asks ROS for: frames of the camera, and where the robot's tip is.

Frames are those that segmentation_node works with: with `undistort` without their lens.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from dvrk_cable_env.camera.lens_topic import LensTopic, refuse_corrected
from dvrk_cable_env.camera.segmentation import Image as Pixels
from dvrk_cable_env.camera.segmentation_frames import camera_topic, pixels_of
from ls3_common import qos, topics
from ls3_common.errors import UserError
from ls3_common.ros import nanoseconds

STILL = 0.0005
"""Metres by which the tip may wander while it is read."""


class Live(Node):
    """Keeps the camera's newest frame and the newest poses of one arm; publishes nothing."""

    def __init__(self, arm: str, patience: float, undistort: bool = False) -> None:
        super().__init__("calibrate")
        self._patience = patience
        self._frame: Pixels | None = None
        self._fault = ""
        self._poses: list[PoseStamped] = []
        for compressed in (False, True):
            kind, topic = camera_topic(compressed)
            lens = None
            if undistort:
                refuse_corrected(self, topic)
                lens = LensTopic(self, topic)
            self.create_subscription(kind, topic, partial(self._on_image, lens), qos.BEST_EFFORT)
        self._pose_topic = topics.arm(arm, "measured_cp")
        self.create_subscription(PoseStamped, self._pose_topic, self._on_pose, qos.RELIABLE)

    def frame(self, wait: bool = True) -> Pixels | None:
        """The newest frame, uint8 (height, width, 3); where none came yet, the first.

        Raises:
            UserError: none comes.
        """
        end = time.monotonic() + self._patience
        while wait and self._frame is None:
            if time.monotonic() > end:
                topic = self.resolve_topic_name(topics.CAMERA_IMAGE)
                raise UserError(
                    self._fault or f"no frame on {topic} nor {topic}/compressed",
                    do="start the camera's driver; --ros-args -r camera/image_raw:=TOPIC renames",
                )
            time.sleep(0.02)
        return self._frame

    def tip(self, count: int = 10) -> NDArray[np.float64]:
        """Where the tip is from now on, (x, y) in metres: the median of a few new poses.

        Raises:
            UserError: no poses come, they have no stamp, are not finite, or the tip moves.
        """
        self._poses = []
        end = time.monotonic() + self._patience
        while len(self._poses) < count:
            if time.monotonic() > end:
                raise UserError(
                    f"{len(self._poses)} poses on {self.resolve_topic_name(self._pose_topic)}",
                    do="start the robot, or type the position: --point U V X Y",
                )
            time.sleep(0.02)
        return tip_of(self._poses[:count])

    def _on_image(self, lens: LensTopic | None, message: Image | CompressedImage) -> None:
        try:
            rgb = pixels_of(message)
            self._frame = lens.correct(rgb) if lens is not None else rgb
        except ValueError as error:
            self._fault = f"a frame that is none: {error}"

    def _on_pose(self, message: PoseStamped) -> None:
        self._poses.append(message)
        del self._poses[:-100]


def tip_of(poses: list[PoseStamped]) -> NDArray[np.float64]:
    """The median (x, y) of poses in metres.

    Raises:
        UserError: one has no stamp, so that nobody knows of when it is; one is not finite; they
            are not of one frame; or the tip moves.
    """
    if any(nanoseconds(pose.header.stamp) == 0 for pose in poses):
        raise UserError("a pose has stamp 0: the robot does not know where it is", do="home it")
    if len({pose.header.frame_id for pose in poses}) != 1:
        raise UserError("the poses are of several frames")
    places = np.array([(p.pose.position.x, p.pose.position.y) for p in poses], float)
    if not np.isfinite(places).all():
        raise UserError("a pose is not finite")
    if float(np.ptp(places, axis=0).max()) > STILL:
        raise UserError("the tip moves", do="hold it still while it is read")
    return np.asarray(np.median(places, axis=0))
