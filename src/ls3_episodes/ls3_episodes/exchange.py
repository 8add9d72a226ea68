"""One step between planner, arm and camera: request a plan, await the arm's answer and the frame.

Every wait ends with a message, a cancellation, or a time-out that names what was missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rclpy.node import Node
from sensor_msgs.msg import Image

from ls3_common import qos, ros, topics
from ls3_common.images import to_array
from ls3_common.parameters import parameter
from ls3_episodes.record import FramePairing, Observation, Record
from ls3_episodes.waiting import Aborted, Waiter, not_cancelled
from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState


@dataclass(frozen=True, kw_only=True)
class ExchangeConfig:
    """Longest waits for planner, arm and camera. Time-outs are wall time."""

    settle: float = parameter(
        0.1, low=0, description="rest between a motion and the frame that shows it", unit="s"
    )
    max_refusals: int = parameter(
        5, low=0, description="plans in a row that the arm may refuse before the episode is aborted"
    )
    frame_timeout: float = parameter(
        20.0, low=0.1, description="longest wait for a frame with its task state", unit="s"
    )
    plan_timeout: float = parameter(
        120.0, low=0.1, description="longest wait for the arm's answer to a plan", unit="s"
    )
    motion_timeout: float = parameter(
        60.0, low=0.1, description="longest wait for the end of a motion", unit="s"
    )


class Exchange:
    """Receives the messages of planner, arm and camera, and waits for them.

    cancelled: returns whether the client asked to end the episode.
    frames: the newest frames with their task states.
    plan: the planner's answer to the newest request; None before the answer.
    """

    def __init__(self, node: Node, config: ExchangeConfig, waiter: Waiter) -> None:
        """Subscribe on `node`; every message wakes `waiter`."""
        self._node, self._config, self._waiter = node, config, waiter
        self.cancelled: Callable[[], bool] = not_cancelled
        self.frames = FramePairing()
        self.plan: Plan | None = None
        self._expected = (-1, -1)  # episode and step of the plan and command that are awaited
        self._command: ArmCommand | None = None
        self._motion = MotionState(reason="no motion_state yet")
        for kind, topic, callback, profile in (
            (Image, topics.MASK, self._on_mask, qos.BEST_EFFORT),
            (TaskState, topics.TASK_STATE, self._on_task_state, qos.BEST_EFFORT),
            (Plan, topics.PLAN, self._on_plan, qos.RELIABLE),
            (ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE),
            (MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED),
        ):
            node.create_subscription(kind, topic, waiter.waking(callback), profile)

    async def until(
        self, condition: Callable[[], bool], timeout_s: float, missing: str | Callable[[], str]
    ) -> None:
        """Wait like `Waiter.until`, until the client cancels at the latest."""
        await self._waiter.until(condition, timeout_s, missing, self.cancelled)

    async def rest(self, timeout_s: float) -> None:
        """Wait until the arm is ready and at rest, at most `timeout_s` seconds of wall time."""
        await self.until(
            self.at_rest,
            timeout_s,
            lambda: f"arm that is ready and at rest ({self._motion.reason or 'moving'})",
        )

    def at_rest(self) -> bool:
        """Whether the arm is ready and does not move."""
        return self._motion.ready and not self._motion.moving

    async def observe(self, after: int) -> Observation:
        """Return the first frame, with its task state, taken `settle` after `after` (ns) or later.

        Raises:
            Aborted: no such frame arrived in time.
            Cancelled: the client asked to end the episode.
        """
        after += int(self._config.settle * 1e9)
        await self.until(
            lambda: self.frames.first(after) is not None,
            self._config.frame_timeout,
            lambda: self.frames.missing(after),
        )
        return cast(Observation, self.frames.first(after))

    async def observe_from_now(self) -> Observation:
        """Return the first frame, with its task state, taken `settle` after the present or later.

        Raises:
            Aborted, Cancelled: as `observe`.
        """
        return await self.observe(self._node.get_clock().now().nanoseconds)

    async def command(
        self,
        key: tuple[int, int],
        frame: Observation,
        request: Callable[[Observation], None],
        record: Record | None = None,
    ) -> ArmCommand:
        """Request a plan and return the arm's answer to it.

        If the arm refuses the plan, it is requested again with a new frame.

        Args:
            key: episode and step of the plan.
            frame: the observation that the plan is to rest on.
            request: requests the plan for an observation.
            record: counts the refused plans; None to count nothing.

        Raises:
            Aborted: there was no answer in time, or the arm refused too many plans in a row.
        """
        reason = ""
        for _ in range(self._config.max_refusals + 1):
            self.plan = self._command = None
            self._expected = key
            request(frame)
            # not cancellable: a plan that is still under way could move the arm afterwards
            await self._waiter.until(
                lambda: self._command is not None, self._config.plan_timeout, self._unanswered
            )
            command = cast(ArmCommand, self._command)
            if command.outcome != "refused":
                return command
            reason = command.reason
            if record is not None:
                record.dropped += 1
            self._node.get_logger().warning(f"step {key[1]}: plan refused: {reason}")
            frame = await self.observe_from_now()
        raise Aborted(f"the arm refused {self._config.max_refusals + 1} plans: {reason}")

    async def motion_end(self, command: ArmCommand) -> int:
        """Wait for the end of a command's motion and return when the scene was at rest (ns).

        Raises:
            Aborted: the motion did not end in time, or the arm is no longer ready.
        """
        began = _stamp(command)
        if command.outcome == "held":
            return began
        key = (command.episode, command.step)

        def ended() -> bool:
            motion = self._motion
            over = (motion.episode, motion.step) == key and _stamp(motion) >= began
            return not motion.moving and (over or not motion.ready)

        await self._waiter.until(ended, self._config.motion_timeout, "end of the motion")
        if not self._motion.ready:
            raise Aborted(f"the arm is not ready: {self._motion.reason}")
        return _stamp(self._motion)

    def _unanswered(self) -> str:
        return "plan" if self.plan is None else f"{topics.ARM_COMMAND}, though the plan came"

    def _on_mask(self, message: Image) -> None:
        try:
            self.frames.add_image(_stamp(message), to_array(message))
        except ValueError as error:
            self._node.get_logger().warning(f"{topics.MASK}: {error}", throttle_duration_sec=2.0)

    def _on_task_state(self, message: TaskState) -> None:
        self.frames.add_state(_stamp(message), message.success, message.constraint)

    def _on_plan(self, message: Plan) -> None:
        if (message.episode, message.step) == self._expected:
            self.plan = message

    def _on_command(self, message: ArmCommand) -> None:
        if (message.episode, message.step) == self._expected:
            self._command = message

    def _on_motion(self, message: MotionState) -> None:
        self._motion = message


def _stamp(message: Any) -> int:
    return ros.nanoseconds(message.header.stamp)
