"""segmentation_node: publishes the cable's MASK of each CAMERA_IMAGE, on a robot also TASK_STATE.

Both carry the stamp and frame id of the camera frame. An unusable frame (size, encoding, black;
with `undistort` also one without a matching camera_info; with `pose_reference` also one of a camera
that moves or has moved too far) is dropped and counted with its reason, and nothing is published
for it. Decoding uses numpy and not cv_bridge: the two encodings take ten lines, and cv_bridge on
PyPI pins OpenCV and numpy.
"""

from __future__ import annotations

import sys

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from dvrk_cable_env.camera.lens import Calibration
from dvrk_cable_env.camera.lens_topic import LensTopic, refuse_corrected
from dvrk_cable_env.camera.pose_reference import read_reference
from dvrk_cable_env.camera.segmentation import FrameError, NodeConfig, frame_fault, segment_cable
from dvrk_cable_env.camera.segmentation_frames import pixels_of, subscribed_camera
from dvrk_cable_env.camera.task_by_colour import TaskMasks, task_masks, task_state
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.images import to_message
from ls3_common.ros import declare, run
from ls3_interfaces.msg import TaskState


class SegmentationNode(Node):
    """Publishes one mask per usable frame from the subscription's callback."""

    def __init__(self) -> None:
        super().__init__("segmentation_node")
        self._config = declare(self, NodeConfig)
        self._registration = read_reference(self._config)
        self._frames_are = "left as they are"
        self._reference: TaskMasks | None = None
        self._health = Health(self)
        # a reliable publisher matches reliable and best-effort subscribers
        self._masks = self.create_publisher(Image, topics.MASK, qos.RELIABLE)
        if self._config.publish_task_state:
            self._states = self.create_publisher(TaskState, topics.TASK_STATE, qos.RELIABLE)
            self.create_service(Trigger, "~/reference", self._on_reference)
        kind, topic = subscribed_camera(self, self._config.compressed)
        self._lens: LensTopic | None = None
        self._reference_lens: Calibration | None = None
        if self._config.undistort:
            refuse_corrected(self, topic)
            self._lens = LensTopic(self, topic)
        self.create_subscription(kind, topic, self._on_image, qos.BEST_EFFORT)

    def _on_image(self, message: Image | CompressedImage) -> None:
        try:
            rgb = pixels_of(message)
            if self._lens is not None:
                rgb = self._lens.correct(rgb)
            rgb = self._put_back(rgb)
            mask = segment_cable(rgb, self._config)
            state = self._judge(rgb) if self._config.publish_task_state else None
        except ValueError as error:  # undecodable, or an error of lens, frame or registration
            self._health.refuse(f"camera frame dropped: {error}")
            return
        self._health.accept()
        self._masks.publish(to_message(mask[:, :, None], message.header))
        if state is not None:
            success, constraint = state
            self._states.publish(
                TaskState(header=message.header, success=success, constraint=constraint)
            )

    def _put_back(self, rgb: np.ndarray) -> np.ndarray:
        """Return the frame as from the camera's pose at its calibration."""
        registration = self._registration
        if registration is None:
            return rgb
        if fault := frame_fault(rgb, self._config):
            raise FrameError(fault)
        done = "dropped"
        try:
            corrected = registration.correct(rgb)
            done = "left as they are" if corrected is rgb else "corrected"
            return corrected
        finally:
            motion = registration.motion
            self._health.note("camera", str(motion) if motion else "not found")
            if motion and done != self._frames_are:
                self._frames_are = done
                self.get_logger().info(f"the camera has {motion}: frames are {done}")

    def _judge(self, rgb: np.ndarray) -> tuple[bool, bool]:
        lens = self._lens.calibration if self._lens is not None else None
        if self._reference is None:
            self._reference, self._reference_lens = task_masks(rgb, self._config), lens
            self.get_logger().info("took this frame as the reference for goal and obstacle")
        elif lens != self._reference_lens:
            raise FrameError(
                "camera_info has changed since the reference frame: clear the scene, then call "
                "~/reference"
            )
        return task_state(rgb, self._reference, self._config)

    def _on_reference(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        self._reference = None
        response.success, response.message = True, "the next frame is the reference"
        return response


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(SegmentationNode, args))


if __name__ == "__main__":
    main()
