"""One motion at a time: a plan is asked for, the arm answers, and a frame shows what came of it.

Each wait ends with a message, a cancellation, or a wall-clock time-out that names what was missing.
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
from ls3_episodes.waiting import Stop, Waiter, never
from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState


@dataclass(frozen=True, kw_only=True)
class ExchangeConfig:
    """How long to wait for planner, arm and camera. Time-outs are wall time."""

    settle: float = parameter(
        0.1, low=0, description="rest between a motion and the frame that shows it", unit="s"
    )
    max_refusals: int = parameter(
        5, low=0, description="plans in a row the arm may refuse before the episode is given up"
    )
    frame_timeout: float = parameter(
        20.0, low=0.1, description="until a camera frame with its task state", unit="s"
    )
    plan_timeout: float = parameter(
        120.0, low=0.1, description="until the arm has answered a step's plan", unit="s"
    )
    motion_timeout: float = parameter(
        60.0, low=0.1, description="until a motion has ended", unit="s"
    )


class Exchange:
    """What episode_node hears of planner, arm and camera, and how it waits for them."""

    def __init__(self, node: Node, config: ExchangeConfig, waiter: Waiter) -> None:
        self._node, self._config, self._waiter = node, config, waiter
        self.cancelled: Callable[[], bool] = never
        """Whether the client asked for the end."""
        self.frames = FramePairing()
        self.plan: Plan | None = None
        """The answer to what was asked for last."""
        self._asked = (-1, -1)  # episode and step that plan and command must answer
        self._command: ArmCommand | None = None
        self._motion = MotionState(reason="no motion_state yet")
        for kind, topic, callback, profile in (
            (Image, topics.MASK, self._see, qos.BEST_EFFORT),
            (TaskState, topics.TASK_STATE, self._judge, qos.BEST_EFFORT),
            (Plan, topics.PLAN, self._set_plan, qos.RELIABLE),
            (ArmCommand, topics.ARM_COMMAND, self._set_command, qos.RELIABLE),
            (MotionState, topics.MOTION_STATE, self._set_motion, qos.LATCHED),
        ):
            node.create_subscription(kind, topic, waiter.waking(callback), profile)

    async def until(
        self, condition: Callable[[], bool], timeout_s: float, missing: str | Callable[[], str]
    ) -> None:
        """As the waiter's, and ended by a cancellation."""
        await self._waiter.until(condition, timeout_s, missing, self.cancelled)

    async def rest(self, timeout_s: float) -> None:
        """Wait until the arm is ready and at rest."""
        await self.until(
            self.at_rest,
            timeout_s,
            lambda: f"arm that is ready and at rest ({self._motion.reason or 'moving'})",
        )

    def at_rest(self) -> bool:
        """Whether the arm is ready and does not move."""
        return self._motion.ready and not self._motion.moving

    async def observe(self, after: int) -> Observation:
        """The first frame, with its task state, at or after `after` (ns) and the rest."""
        after += int(self._config.settle * 1e9)
        await self.until(
            lambda: self.frames.first(after) is not None,
            self._config.frame_timeout,
            lambda: self.frames.missing(after),
        )
        return cast(Observation, self.frames.first(after))

    async def observe_from_now(self) -> Observation:
        """The first frame from now on."""
        return await self.observe(self._node.get_clock().now().nanoseconds)

    async def command(
        self,
        key: tuple[int, int],
        frame: Observation,
        ask: Callable[[Observation], None],
        record: Record | None = None,
    ) -> ArmCommand:
        """What the arm made of the plan `key` that `ask` asks for.

        A plan that it refuses is asked for again, on a new frame, and counted in `record`.

        Raises:
            Stop: no answer in time, or the arm refused too many in a row.
        """
        reason = ""
        for _ in range(self._config.max_refusals + 1):
            self.plan = self._command = None
            self._asked = key
            ask(frame)
            # not cancellable: a plan under way could still move the arm after the result
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
        raise Stop(f"the arm refused {self._config.max_refusals + 1} plans: {reason}")

    async def motion_end(self, command: ArmCommand) -> int:
        """When the scene came to rest after this command (ns).

        Raises:
            Stop: no end in time, or the arm is no longer ready.
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
            raise Stop(f"the arm is not ready: {self._motion.reason}")
        return _stamp(self._motion)

    def _unanswered(self) -> str:
        return "plan" if self.plan is None else f"{topics.ARM_COMMAND}, though the plan came"

    def _see(self, message: Image) -> None:
        try:
            self.frames.add_image(_stamp(message), to_array(message))
        except ValueError as error:
            self._node.get_logger().warning(f"{topics.MASK}: {error}", throttle_duration_sec=2.0)

    def _judge(self, message: TaskState) -> None:
        self.frames.add_state(_stamp(message), message.success, message.constraint)

    def _set_plan(self, message: Plan) -> None:
        if (message.episode, message.step) == self._asked:
            self.plan = message

    def _set_command(self, message: ArmCommand) -> None:
        if (message.episode, message.step) == self._asked:
            self._command = message

    def _set_motion(self, message: MotionState) -> None:
        self._motion = message


def _stamp(message: Any) -> int:
    return ros.nanoseconds(message.header.stamp)
