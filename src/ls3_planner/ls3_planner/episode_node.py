"""One episode as a ROS action: reset, then step by step until the goal, a violation or T.

Each `await` of the coroutine `_episode` ends with a message, a cancellation, or a wall-clock
time-out that names what was missing. Reward and constraint are those of s_{t+1}, the frame taken
after the motion had ended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import Image

from dvrk_cable_env.plan_message import unplanned
from ls3_common import ros, topics
from ls3_common.images import to_array
from ls3_common.parameters import parameter
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.msg import ArmCommand, MotionState, Plan, StepRequest, TaskState
from ls3_interfaces.srv import ResetScene
from ls3_planner.operator_reset import DISCARDED, OperatorConfig, OperatorReset
from ls3_planner.presence import absent, clash
from ls3_planner.record import Frame, Frames, Record
from ls3_planner.retreat import Point
from ls3_planner.waiting import Cancelled, Stop, Waiter, never

NOT_DATA = ".discarded"
"""Ends the name of an episode's file that the operator threw away."""


@dataclass(frozen=True)
class EpisodeNodeConfig:
    """Section `episode_node` of a domain's YAML. Time-outs are wall time."""

    horizon: int = parameter(low=1, description="T, steps of an episode", unit="steps")
    settle: float = parameter(
        0.1, low=0, description="rest between a motion and the frame that shows it", unit="s"
    )
    record: str = parameter("", description="directory of the episode files; empty: no files")
    max_refusals: int = parameter(
        5, low=0, description="plans in a row the arm may refuse before the episode is given up"
    )
    start_timeout: float = parameter(
        120.0, low=0.1, description="until all other nodes are up", unit="s"
    )
    reset_timeout: float = parameter(
        60.0, low=0.1, description="until the scene is reset and the arm ready", unit="s"
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
    reset: str = parameter(
        "scene",
        choices=("scene", "operator"),
        description="who resets between episodes: the service reset_scene, or a person, after the "
        "arm has gone back",
    )
    operator: OperatorConfig = field(default_factory=OperatorConfig)


class EpisodeNode(Node):
    """Serves run_episode, one goal at a time."""

    def __init__(self) -> None:
        super().__init__("episode_node")
        self.config = ros.declare(self, EpisodeNodeConfig)
        self._waiter = Waiter(self)
        self._record: Record | None = None  # of the running episode
        self._cancelled: Callable[[], bool] = never
        self._accepted = False
        self._frames = Frames()
        self._asked = (-1, -1)  # episode and step that plan and command must answer
        self._plan: Plan | None = None
        self._command_heard: ArmCommand | None = None
        self._motion = MotionState(reason="no motion_state yet")

        self._requests = self.create_publisher(StepRequest, topics.STEP_REQUEST, ros.RELIABLE_QOS)
        for kind, topic, callback, qos in (
            (Image, topics.MASK, self._see, qos_profile_sensor_data),
            (TaskState, topics.TASK_STATE, self._judge, qos_profile_sensor_data),
            (Plan, topics.PLAN, self._set_plan, ros.RELIABLE_QOS),
            (ArmCommand, topics.ARM_COMMAND, self._set_command, ros.RELIABLE_QOS),
            (MotionState, topics.MOTION_STATE, self._set_motion, ros.LATCHED_QOS),
        ):
            self.create_subscription(kind, topic, self._waiter.waking(callback), qos)
        self._reset = self.create_client(ResetScene, topics.RESET_SCENE)
        self._operator: OperatorReset | None = None
        if self.config.reset == "operator":
            self._operator = OperatorReset(self, self.config.operator, self._waiter)
            self._retreats = self.create_publisher(Plan, topics.RETREAT, ros.RELIABLE_QOS)
        self._server = ActionServer(
            self,
            RunEpisode,
            topics.RUN_EPISODE,
            self._execute,
            goal_callback=self._admit,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def close(self) -> None:
        """Keep what an interrupted episode has shown so far."""
        if self._record is not None:
            self._record.write(self.config.record, "interrupted")
        self._server.destroy()

    def _admit(self, _request: RunEpisode.Goal) -> GoalResponse:
        if self._accepted:
            self.get_logger().warning("goal rejected: an episode is running")
            return GoalResponse.REJECT
        self._accepted = True
        return GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> RunEpisode.Result:
        goal = handle.request
        record = self._record = Record(goal.episode, goal.seed)
        finish = handle.abort
        try:
            reason = await self._episode(handle, record)
            finish = handle.succeed
        except Cancelled as end:
            reason, finish = str(end), handle.canceled
        except Stop as end:
            reason = str(end)
            self.get_logger().error(f"episode {goal.episode}: {reason}")
        finally:
            self._record = None
        file = ""
        try:
            file = record.write(self.config.record, reason)
        except OSError as error:
            reason, finish = f"{reason}, but the episode file: {error}", handle.abort
        if self._operator is not None:
            if finish == handle.succeed:
                # a discard waits for ~/continue as well; only the client ends this turn
                self._cancelled = lambda: handle.is_cancel_requested
                await self._hand_over(self._operator, f"Episode {goal.episode} ended: {reason}")
            if self._operator.discarded:
                reason, finish = DISCARDED, handle.abort
                file = _set_aside(file)
        self._accepted = False
        finish()
        return RunEpisode.Result(
            success=record.succeeded,
            violation=record.violated,
            steps=record.steps,
            total_reward=record.total_reward,
            holds=record.holds,
            dropped=record.dropped,
            reason=reason,
            file=file,
        )

    async def _episode(self, handle: ServerGoalHandle, record: Record) -> str:
        """Run to the end and return why it ended."""
        goal = handle.request
        operator = self._operator
        if operator is not None:
            operator.episode, operator.discarded = None, False
        self._cancelled = lambda: (
            handle.is_cancel_requested or (operator is not None and operator.discarded)
        )
        frame = await self._start(goal)
        if operator is not None:
            operator.episode = goal.episode
        record.begin(frame.pixels)
        for step in range(goal.max_steps or self.config.horizon):
            self._refuse_clash()
            self._frames.violated = False
            command = await self._act(step, frame, record)
            frame = await self._observe(await self._motion_end(command))
            # a violation counts also where the frame after the motion no longer shows it
            violation = frame.constraint or self._frames.violated
            record.add(command, frame.pixels, frame.success, violation)
            self._tell(handle, step)
            if violation:
                return "violation"
            if frame.success and goal.stop_on_success:
                return "success"
        return "horizon"

    async def _start(self, goal: RunEpisode.Goal) -> Frame:
        """Put the scene at s_0 ~ mu and return what it looks like."""
        self._refuse_clash()
        self._frames.clear()
        config, operator = self.config, self._operator
        await self._until(lambda: not self._absent(), config.start_timeout, self._absent)
        if operator is not None and not operator.prepared:
            what = f"Episode {goal.episode} is to begin"
            await operator.turn(what, self._back, self._at_rest(), self._cancelled)
        await self._until(self._at_rest, config.reset_timeout, self._why_not)  # it may be homing
        stands = 0
        # beside an operator there is a scene to reset where he rehearses in simulation
        if operator is None or self._reset.service_is_ready():
            stands = await self._reset_scene(goal.seed)
        await self._until(self._at_rest, config.reset_timeout, self._why_not)
        if operator is not None:
            await operator.begin(self._cancelled)
        frame = await self._observe(stands or self.get_clock().now().nanoseconds)
        if frame.constraint:
            raise Stop("the start state violates a constraint")
        return frame

    async def _reset_scene(self, seed: int) -> int:
        """When the new scene stood (ns); 0 where nobody says."""
        response = self._reset.call_async(ResetScene.Request(seed=seed))
        response.add_done_callback(lambda _future: self._waiter.wake())
        timeout = self.config.reset_timeout
        await self._until(response.done, timeout, lambda: "answer from reset_scene")
        if not response.result().ok:
            raise Stop(f"{topics.RESET_SCENE} failed: {response.result().message}")
        return ros.nanoseconds(response.result().stamp)

    async def _hand_over(self, operator: OperatorReset, what: str) -> None:
        """The operator's turn after an episode, whose result stands whatever becomes of this."""
        try:
            await operator.turn(what, self._back, self._at_rest(), self._cancelled)
        except Stop as stop:
            self.get_logger().error(f"reset: {stop}; the arm stays held")

    async def _back(self, number: int, action: Point) -> None:
        """One step back to the start pose; it rests on a frame as every other does."""

        def ask(frame: Frame) -> None:
            plan = unplanned(topics.RETREAT_EPISODE, number, frame.stamp, action)
            self._retreats.publish(plan)

        frame = await self._observe(self.get_clock().now().nanoseconds)
        await self._motion_end(await self._command((topics.RETREAT_EPISODE, number), frame, ask))

    async def _act(self, step: int, frame: Frame, record: Record) -> ArmCommand:
        """Ask for a plan and return what the arm made of it."""

        def ask(frame: Frame) -> None:
            request = StepRequest(episode=record.episode, step=step)
            request.header.stamp = Time(nanoseconds=frame.stamp).to_msg()
            self._requests.publish(request)

        return await self._command((record.episode, step), frame, ask, record)

    async def _command(
        self,
        key: tuple[int, int],
        frame: Frame,
        ask: Callable[[Frame], None],
        record: Record | None = None,
    ) -> ArmCommand:
        """What the arm made of what was asked for; what it refused is asked for again."""
        reason = ""
        for _ in range(self.config.max_refusals + 1):
            self._plan = self._command_heard = None
            self._asked = key
            ask(frame)
            # not cancellable: a plan under way could still move the arm after the result
            await self._waiter.until(
                lambda: self._command_heard is not None, self.config.plan_timeout, self._unanswered
            )
            command = cast(ArmCommand, self._command_heard)
            if command.outcome != "refused":
                return command
            reason = command.reason
            if record is not None:
                record.dropped += 1
            self.get_logger().warning(f"step {key[1]}: plan refused: {reason}")
            frame = await self._observe(self.get_clock().now().nanoseconds)
        raise Stop(f"the arm refused {self.config.max_refusals + 1} plans: {reason}")

    async def _until(
        self, condition: Callable[[], bool], timeout_s: float, missing: Callable[[], str]
    ) -> None:
        """As the waiter's, and ended by a cancellation."""
        await self._waiter.until(condition, timeout_s, missing, self._cancelled)

    def _at_rest(self) -> bool:
        return self._motion.ready and not self._motion.moving

    def _why_not(self) -> str:
        return f"arm that is ready and at rest ({self._motion.reason or 'moving'})"

    def _absent(self) -> str:
        ready = self.config.reset == "operator" or self._reset.service_is_ready()
        return absent(self) or ("" if ready else f"service {topics.RESET_SCENE}")

    def _unanswered(self) -> str:
        return "plan" if self._plan is None else f"{topics.ARM_COMMAND}, though the plan came"

    async def _motion_end(self, command: ArmCommand) -> int:
        """When the scene came to rest after this command (ns)."""
        began = _stamp(command)
        if command.outcome == "held":
            return began
        key = (command.episode, command.step)

        def ended() -> bool:
            motion = self._motion
            over = (motion.episode, motion.step) == key and _stamp(motion) >= began
            return not motion.moving and (over or not motion.ready)

        await self._waiter.until(ended, self.config.motion_timeout, "end of the motion")
        if not self._motion.ready:
            raise Stop(f"the arm is not ready: {self._motion.reason}")
        return _stamp(self._motion)

    async def _observe(self, after: int) -> Frame:
        """The first frame, with its task state, at or after `after` (ns) and the rest."""
        after += int(self.config.settle * 1e9)
        await self._until(
            lambda: self._frames.first(after) is not None,
            self.config.frame_timeout,
            lambda: self._frames.missing(after),
        )
        frame = self._frames.first(after)
        assert frame is not None
        return frame

    def _refuse_clash(self) -> None:
        reason = clash(self)
        if reason:
            raise Stop(reason)

    def _tell(self, handle: ServerGoalHandle, step: int) -> None:
        plan = self._plan
        if plan is not None:
            handle.publish_feedback(
                RunEpisode.Feedback(
                    step=step,
                    feasible=plan.feasible,
                    safe_probability=plan.safe_probability,
                    constraint_probability=plan.constraint_probability,
                    solve_time=plan.solve_time,
                )
            )

    def _see(self, message: Image) -> None:
        try:
            self._frames.add_image(_stamp(message), to_array(message))
        except ValueError as error:
            self.get_logger().warning(f"{topics.MASK}: {error}", throttle_duration_sec=2.0)

    def _judge(self, message: TaskState) -> None:
        self._frames.add_state(_stamp(message), message.success, message.constraint)

    def _set_plan(self, message: Plan) -> None:
        if (message.episode, message.step) == self._asked:
            self._plan = message

    def _set_command(self, message: ArmCommand) -> None:
        if (message.episode, message.step) == self._asked:
            self._command_heard = message

    def _set_motion(self, message: MotionState) -> None:
        self._motion = message


def _set_aside(file: str) -> str:
    """Give an episode's file a name that is no data set's, and return that it is none."""
    if file:
        Path(file).rename(file + NOT_DATA)
    return ""


def _stamp(message: Any) -> int:
    return ros.nanoseconds(message.header.stamp)


def main() -> int:
    """Entry point of the process."""
    return ros.run(EpisodeNode)


if __name__ == "__main__":
    sys.exit(main())
