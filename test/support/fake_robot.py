"""A robot that answers the nodes as arm, camera and scene do."""

from __future__ import annotations

from typing import Any

import numpy as np
from ros_bench import Bench


class FakeRobot:
    """Camera, segmentation, arm and scene in one: a dot that moves by the action.

    Attributes decide what goes wrong. The goal is reached with the `goal_after`-th motion, the
    constraint is violated with the `violation_after`-th.
    """

    def __init__(self, bench: Bench) -> None:
        from sensor_msgs.msg import Image

        from ls3_common import qos, topics
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState
        from ls3_interfaces.srv import ResetScene

        self.bench = bench
        self._kinds = ArmCommand, MotionState, TaskState, Image
        self.goal_after, self.violation_after = 10**6, 10**6
        self.refusals = 0  # of the next plans
        self.shows_task_state = self.shows_mask = self.answers = True
        self.ready, self.reset_ok = True, True
        self.motions = 0
        self.seeds: list[int] = []
        self.plans: list[Any] = []
        node = bench.node
        self._commands = node.create_publisher(ArmCommand, topics.ARM_COMMAND, qos.RELIABLE)
        self._states = node.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self._tasks = node.create_publisher(TaskState, topics.TASK_STATE, qos.RELIABLE)
        self._masks = node.create_publisher(Image, topics.MASK, qos.BEST_EFFORT)
        self._cameras = node.create_publisher(Image, topics.CAMERA_IMAGE, qos.BEST_EFFORT)
        node.create_subscription(Plan, topics.PLAN, self._on_plan, qos.RELIABLE)
        node.create_service(ResetScene, topics.RESET_SCENE, self._on_reset)
        node.create_timer(0.03, self._shoot)
        self.publish_state(moving=False)

    def publish_state(self, *, moving: bool, episode: int = 0, step: int = 0) -> None:
        message = self._kinds[1](moving=moving, ready=self.ready, episode=episode, step=step)
        message.reason = "" if self.ready else "the arm is in FAULT"
        message.header.stamp = self.bench.stamp()
        self._states.publish(message)

    def picture(self) -> Any:
        """The camera frame's mask, as a message."""
        pixels = np.zeros((64, 64), np.uint8)
        pixels[self.motions % 60 :][:4, 20:40] = 255
        image = self._kinds[3](
            height=64, width=64, encoding="mono8", step=64, data=pixels.tobytes()
        )
        image.header.stamp = self.bench.stamp()
        return image

    def _shoot(self) -> None:
        mask = self.picture()
        colour = np.repeat(np.frombuffer(mask.data, np.uint8), 3).tobytes()
        camera = self._kinds[3](
            header=mask.header, height=64, width=64, encoding="rgb8", step=192, data=colour
        )
        self._cameras.publish(camera)
        if self.shows_task_state:
            task = self._kinds[2](header=mask.header)
            task.success = self.motions >= self.goal_after
            task.constraint = self.motions >= self.violation_after
            self._tasks.publish(task)
        if self.shows_mask:
            self._masks.publish(mask)

    def _on_reset(self, request: Any, response: Any) -> Any:
        self.seeds.append(request.seed)
        self.motions = 0
        response.ok, response.message = self.reset_ok, "" if self.reset_ok else "the cable is gone"
        return response

    def _on_plan(self, plan: Any) -> None:
        self.plans.append(plan)
        if not self.answers:
            return
        command = self._kinds[0](
            episode=plan.episode,
            step=plan.step,
            image_stamp=plan.header.stamp,
            requested=plan.action,
            outcome="sent" if plan.feasible else "held",
        )
        command.header.stamp = self.bench.stamp()
        if self.refusals:
            self.refusals -= 1
            command.outcome, command.reason = "refused", "image older than the last motion"
        if command.outcome != "sent":
            command.sent = [0.0, 0.0]
            self._commands.publish(command)
            return
        command.sent = [value / 2 for value in plan.action]  # as if clamped
        self._commands.publish(command)
        self.publish_state(moving=True, episode=plan.episode, step=plan.step)
        self.motions += 1
        self.publish_state(moving=False, episode=plan.episode, step=plan.step)
