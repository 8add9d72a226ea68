"""episode_node: runs one episode as a ROS action: reset, then steps until goal, violation or T.

Reward and constraint of a step are those of s_{t+1}, in the frame taken after the motion's end.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.time import Time

from ls3_common import qos, ros, topics
from ls3_common.parameters import parameter
from ls3_common.plan_message import unplanned
from ls3_episodes.exchange import Exchange, ExchangeConfig
from ls3_episodes.operator_reset import DISCARDED, OperatorReset, OperatorResetConfig
from ls3_episodes.presence import find_conflict, find_missing
from ls3_episodes.record import Observation, Record
from ls3_episodes.retreat import Point
from ls3_episodes.waiting import Aborted, Cancelled, Waiter
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.msg import ArmCommand, Plan, StepRequest
from ls3_interfaces.srv import ResetScene

NOT_DATA = ".discarded"
"""Suffix of the file of an episode that the operator discarded; no data set reads it."""


@dataclass(frozen=True, kw_only=True)
class EpisodeNodeConfig(ExchangeConfig):
    """Parameters of episode_node, section of a domain's YAML. Time-outs are wall time."""

    horizon: int = parameter(
        low=1, description="T, length of an episode", unit="steps", domain="horizon"
    )
    record: str = parameter(
        "", description="directory of the episode files; empty: write none", is_path=True
    )
    start_timeout: float = parameter(
        120.0, low=0.1, description="longest wait for all other nodes", unit="s"
    )
    reset_timeout: float = parameter(
        60.0, low=0.1, description="longest wait for the reset scene and the ready arm", unit="s"
    )
    reset: str = parameter(
        "scene",
        choices=("scene", "operator"),
        description="how the scene is reset between episodes; scene: by the service reset_scene; "
        "operator: by a person, after the arm has returned to its start",
    )
    operator: OperatorResetConfig = field(default_factory=OperatorResetConfig)


class EpisodeNode(Node):
    """Serves the action run_episode, one goal at a time."""

    def __init__(self) -> None:
        super().__init__("episode_node")
        self.config = ros.declare(self, EpisodeNodeConfig)
        self._waiter = Waiter(self)
        self._record: Record | None = None  # of the running episode
        self._accepted = False
        self._exchange = Exchange(self, self.config, self._waiter)
        self._requests = self.create_publisher(StepRequest, topics.STEP_REQUEST, qos.RELIABLE)
        self._reset = self.create_client(ResetScene, topics.RESET_SCENE)
        self._operator: OperatorReset | None = None
        if self.config.reset == "operator":
            self._operator = OperatorReset(self, self.config.operator, self._waiter)
            self._retreats = self.create_publisher(Plan, topics.RETREAT, qos.RELIABLE)
        self._server = ActionServer(
            self,
            RunEpisode,
            topics.RUN_EPISODE,
            self._execute,
            goal_callback=self._admit,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def close(self) -> None:
        """Write the file of an episode that was interrupted."""
        try:
            if self._record is not None:
                self._record.write(self.config.record, "interrupted")
        finally:
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
        except Aborted as end:
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
                # the operator may discard and still has to call ~/continue, so only the client
                # can cancel this wait
                self._exchange.cancelled = lambda: handle.is_cancel_requested
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
        """Run one episode to its end and return why it ended."""
        goal = handle.request
        operator = self._operator
        if operator is not None:
            operator.episode, operator.discarded = None, False
        self._exchange.cancelled = lambda: (
            handle.is_cancel_requested or (operator is not None and operator.discarded)
        )
        frame = await self._start(goal, record)
        if operator is not None:
            operator.episode = goal.episode
        record.begin(frame.pixels)
        exchange = self._exchange
        for step in range(goal.max_steps or self.config.horizon):
            self._refuse_conflict()
            exchange.frames.violated = False
            command = await self._act(step, frame, record)
            frame = await exchange.observe(await exchange.motion_end(command))
            # a violation during the motion counts even if the frame after it shows none
            violation = frame.constraint or exchange.frames.violated
            record.add(command, frame.pixels, frame.success, violation)
            self._publish_feedback(handle, step)
            if violation:
                return "violation"
            if frame.success and goal.stop_on_success:
                return "success"
        return "horizon"

    async def _start(self, goal: RunEpisode.Goal, record: Record) -> Observation:
        """Put the scene at a start state s_0 ~ mu and return its observation."""
        self._refuse_conflict()
        config, operator, exchange = self.config, self._operator, self._exchange
        exchange.frames.clear()
        await exchange.until(lambda: not self._missing(), config.start_timeout, self._missing)
        if operator is not None and not operator.prepared:
            await self._turn(operator, f"Episode {goal.episode} is to begin")
        await exchange.rest(config.reset_timeout)  # the arm may be homing
        reset_stamp = 0
        # an operator who rehearses in simulation has a scene to reset as well
        if operator is None or self._reset.service_is_ready():
            reset_stamp = await self._reset_scene(goal.seed, record)
        await exchange.rest(config.reset_timeout)
        if operator is not None:
            await operator.begin(exchange.cancelled)
        frame = await exchange.observe(reset_stamp or self.get_clock().now().nanoseconds)
        if frame.constraint:
            raise Aborted("the start state violates a constraint")
        return frame

    async def _reset_scene(self, seed: int, record: Record) -> int:
        """Reset the scene and return the stamp from which frames show it (ns); 0 if unknown."""
        response = self._reset.call_async(ResetScene.Request(seed=seed))
        response.add_done_callback(lambda _future: self._waiter.wake())
        timeout = self.config.reset_timeout
        await self._exchange.until(response.done, timeout, lambda: "answer from reset_scene")
        if not response.result().ok:
            raise Aborted(f"{topics.RESET_SCENE} failed: {response.result().message}")
        record.reset_by(response.result().message)
        return ros.nanoseconds(response.result().stamp)

    async def _hand_over(self, operator: OperatorReset, what: str) -> None:
        """Let the operator reset the scene after an episode, whose result this does not change."""
        try:
            await self._turn(operator, what)
        except Aborted as reason:
            self.get_logger().error(f"reset: {reason}; the arm stays held")

    async def _turn(self, operator: OperatorReset, what: str) -> None:
        exchange = self._exchange
        await operator.turn(what, self._step_back, exchange.at_rest(), exchange.cancelled)

    async def _step_back(self, number: int, action: Point) -> None:
        """Take one step back to the start pose; like every step it rests on a frame."""

        def publish(frame: Observation) -> None:
            plan = unplanned(topics.RETREAT_EPISODE, number, frame.stamp, action)
            self._retreats.publish(plan)

        exchange = self._exchange
        frame = await exchange.observe_from_now()
        command = await exchange.command((topics.RETREAT_EPISODE, number), frame, publish)
        await exchange.motion_end(command)

    async def _act(self, step: int, frame: Observation, record: Record) -> ArmCommand:
        """Request a plan and return what the arm did with it."""

        def request(frame: Observation) -> None:
            message = StepRequest(episode=record.episode, step=step)
            message.header.stamp = Time(nanoseconds=frame.stamp).to_msg()
            self._requests.publish(message)

        return await self._exchange.command((record.episode, step), frame, request, record)

    def _missing(self) -> str:
        ready = self.config.reset == "operator" or self._reset.service_is_ready()
        return find_missing(self) or ("" if ready else f"service {topics.RESET_SCENE}")

    def _refuse_conflict(self) -> None:
        reason = find_conflict(self)
        if reason:
            raise Aborted(reason)

    def _publish_feedback(self, handle: ServerGoalHandle, step: int) -> None:
        plan = self._exchange.plan
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


def _set_aside(file: str) -> str:
    """Rename a discarded episode's file, and return an empty path."""
    if file:
        Path(file).rename(file + NOT_DATA)
    return ""


def main() -> int:
    """Entry point of the process."""
    return ros.run(EpisodeNode)


if __name__ == "__main__":
    sys.exit(main())
