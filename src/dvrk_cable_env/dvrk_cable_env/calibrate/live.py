"""The ROS inputs of `calibrate`: frames of the camera, and the position of the robot's tip.

With `undistort` the frames are corrected, as in segmentation_node.
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

TIP_MOTION = 0.0005
"""Metres by which the tip may move while its position is read."""


class CalibrationNode(Node):
    """Keeps the camera's newest frame and the newest poses of one arm; publishes nothing."""

    def __init__(self, arm: str, timeout: float, undistort: bool = False) -> None:
        """Listen to the camera and to the arm with this CRTK name.

        Args:
            arm: CRTK name, e.g. ``PSM1``.
            timeout: longest wait for a message, s.
            undistort: whether to correct the frames by their camera_info.
        """
        super().__init__("calibrate")
        self._timeout = timeout
        self._frame: Pixels | None = None
        self._fault = ""
        self._poses: list[PoseStamped] = []
        for compressed in (False, True):
            kind, topic = camera_topic(self, compressed)
            lens = None
            if undistort:
                refuse_corrected(self, topic)
                lens = LensTopic(self, topic)
            self.create_subscription(kind, topic, partial(self._on_image, lens), qos.BEST_EFFORT)
        self._pose_topic = topics.arm(arm, "measured_cp")
        self.create_subscription(PoseStamped, self._pose_topic, self._on_pose, qos.RELIABLE)

    def frame(self, wait: bool = True) -> Pixels | None:
        """Return the newest frame, uint8 (height, width, 3), RGB.

        Args:
            wait: whether to wait for the first frame; otherwise None may be returned.

        Raises:
            UserError: no usable frame arrived in time.
        """
        end = time.monotonic() + self._timeout
        while wait and self._frame is None:
            if time.monotonic() > end:
                both = " nor ".join(camera_topic(self, kind)[1] for kind in (False, True))
                raise UserError(
                    self._fault or f"no frame on {both}",
                    do="start the camera's driver; for another topic add "
                    "--ros-args -r camera/image_raw:=TOPIC",
                )
            time.sleep(0.02)
        return self._frame

    def tip(self, count: int = 10) -> NDArray[np.float64]:
        """Return the position (x, y) of the tip, m: the median of the next `count` poses.

        Raises:
            UserError: too few poses arrive, a pose is not valid, or the tip moves.
        """
        self._poses = []
        end = time.monotonic() + self._timeout
        while len(self._poses) < count:
            if time.monotonic() > end:
                raise UserError(
                    f"only {len(self._poses)} of {count} poses arrived on "
                    f"{self.resolve_topic_name(self._pose_topic)}",
                    do="start the robot, or give the position: --point U V X Y",
                )
            time.sleep(0.02)
        return median_tip(self._poses[:count])

    def _on_image(self, lens: LensTopic | None, message: Image | CompressedImage) -> None:
        try:
            rgb = pixels_of(message)
            self._frame = lens.correct(rgb) if lens is not None else rgb
        except ValueError as error:
            self._fault = f"unusable frame: {error}"

    def _on_pose(self, message: PoseStamped) -> None:
        self._poses.append(message)
        del self._poses[:-100]


def median_tip(poses: list[PoseStamped]) -> NDArray[np.float64]:
    """Return the median position (x, y) of poses, float64 (2,), m.

    Raises:
        UserError: a pose has no stamp or is not finite, the poses are in several frames, or the
            tip moves by more than `TIP_MOTION`.
    """
    if any(nanoseconds(pose.header.stamp) == 0 for pose in poses):
        raise UserError("a pose has stamp 0: the robot does not know its position", do="home it")
    if len({pose.header.frame_id for pose in poses}) != 1:
        raise UserError("the poses are in several frames")
    places = np.array([(p.pose.position.x, p.pose.position.y) for p in poses], float)
    if not np.isfinite(places).all():
        raise UserError("a pose is not finite")
    if float(np.ptp(places, axis=0).max()) > TIP_MOTION:
        raise UserError("the tip moves", do="hold the tip still while its position is read")
    return np.asarray(np.median(places, axis=0))
