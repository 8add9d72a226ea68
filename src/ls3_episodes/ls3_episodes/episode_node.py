"""One episode as a ROS action: reset, then step by step until the goal, a violation or T.

Reward and constraint are those of s_{t+1}, the frame taken after the motion had ended.
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
from ls3_episodes.presence import absent, clash
from ls3_episodes.record import Observation, Record
from ls3_episodes.retreat import Point
from ls3_episodes.waiting import Cancelled, Stop, Waiter
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.msg import ArmCommand, Plan, StepRequest
from ls3_interfaces.srv import ResetScene

NOT_DATA = ".discarded"
"""Ends the name of an episode's file that the operator threw away."""


@dataclass(frozen=True, kw_only=True)
class EpisodeNodeConfig(ExchangeConfig):
    """Section `episode_node` of a domain's YAML. Time-outs are wall time."""

    horizon: int = parameter(low=1, description="T, steps of an episode", unit="steps")
    record: str = parameter("", description="directory of the episode files; empty: no files")
    start_timeout: float = parameter(
        120.0, low=0.1, description="until all other nodes are up", unit="s"
    )
    reset_timeout: float = parameter(
        60.0, low=0.1, description="until the scene is reset and the arm ready", unit="s"
    )
    reset: str = parameter(
        "scene",
        choices=("scene", "operator"),
        description="who resets between episodes: the service reset_scene, or a person, after the "
        "arm has gone back",
    )
    operator: OperatorResetConfig = field(default_factory=OperatorResetConfig)


class EpisodeNode(Node):
    """Serves run_episode, one goal at a time."""

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
        """Run to the end and return why it ended."""
        goal = handle.request
        operator = self._operator
        if operator is not None:
            operator.episode, operator.discarded = None, False
        self._exchange.cancelled = lambda: (
            handle.is_cancel_requested or (operator is not None and operator.discarded)
        )
        frame = await self._start(goal)
        if operator is not None:
            operator.episode = goal.episode
        record.begin(frame.pixels)
        exchange = self._exchange
        for step in range(goal.max_steps or self.config.horizon):
            self._refuse_clash()
            exchange.frames.violated = False
            command = await self._act(step, frame, record)
            frame = await exchange.observe(await exchange.motion_end(command))
            # a violation counts also where the frame after the motion no longer shows it
            violation = frame.constraint or exchange.frames.violated
            record.add(command, frame.pixels, frame.success, violation)
            self._tell(handle, step)
            if violation:
                return "violation"
            if frame.success and goal.stop_on_success:
                return "success"
        return "horizon"

    async def _start(self, goal: RunEpisode.Goal) -> Observation:
        """Put the scene at s_0 ~ mu and return what it looks like."""
        self._refuse_clash()
        config, operator, exchange = self.config, self._operator, self._exchange
        exchange.frames.clear()
        await exchange.until(lambda: not self._absent(), config.start_timeout, self._absent)
        if operator is not None and not operator.prepared:
            await self._turn(operator, f"Episode {goal.episode} is to begin")
        await exchange.rest(config.reset_timeout)  # it may be homing
        stands = 0
        # beside an operator there is a scene to reset where he rehearses in simulation
        if operator is None or self._reset.service_is_ready():
            stands = await self._reset_scene(goal.seed)
        await exchange.rest(config.reset_timeout)
        if operator is not None:
            await operator.begin(exchange.cancelled)
        frame = await exchange.observe(stands or self.get_clock().now().nanoseconds)
        if frame.constraint:
            raise Stop("the start state violates a constraint")
        return frame

    async def _reset_scene(self, seed: int) -> int:
        """When the new scene stood (ns); 0 where nobody says."""
        response = self._reset.call_async(ResetScene.Request(seed=seed))
        response.add_done_callback(lambda _future: self._waiter.wake())
        timeout = self.config.reset_timeout
        await self._exchange.until(response.done, timeout, lambda: "answer from reset_scene")
        if not response.result().ok:
            raise Stop(f"{topics.RESET_SCENE} failed: {response.result().message}")
        return ros.nanoseconds(response.result().stamp)

    async def _hand_over(self, operator: OperatorReset, what: str) -> None:
        """The operator's turn after an episode, whose result stands whatever becomes of this."""
        try:
            await self._turn(operator, what)
        except Stop as stop:
            self.get_logger().error(f"reset: {stop}; the arm stays held")

    async def _turn(self, operator: OperatorReset, what: str) -> None:
        exchange = self._exchange
        await operator.turn(what, self._back, exchange.at_rest(), exchange.cancelled)

    async def _back(self, number: int, action: Point) -> None:
        """One step back to the start pose; it rests on a frame as every other does."""

        def ask(frame: Observation) -> None:
            plan = unplanned(topics.RETREAT_EPISODE, number, frame.stamp, action)
            self._retreats.publish(plan)

        exchange = self._exchange
        frame = await exchange.observe_from_now()
        command = await exchange.command((topics.RETREAT_EPISODE, number), frame, ask)
        await exchange.motion_end(command)

    async def _act(self, step: int, frame: Observation, record: Record) -> ArmCommand:
        """Ask for a plan and return what the arm made of it."""

        def ask(frame: Observation) -> None:
            request = StepRequest(episode=record.episode, step=step)
            request.header.stamp = Time(nanoseconds=frame.stamp).to_msg()
            self._requests.publish(request)

        return await self._exchange.command((record.episode, step), frame, ask, record)

    def _absent(self) -> str:
        ready = self.config.reset == "operator" or self._reset.service_is_ready()
        return absent(self) or ("" if ready else f"service {topics.RESET_SCENE}")

    def _refuse_clash(self) -> None:
        reason = clash(self)
        if reason:
            raise Stop(reason)

    def _tell(self, handle: ServerGoalHandle, step: int) -> None:
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
    """Give an episode's file a name that is no data set's, and return that it is none."""
    if file:
        Path(file).rename(file + NOT_DATA)
    return ""


def main() -> int:
    """Entry point of the process."""
    return ros.run(EpisodeNode)


if __name__ == "__main__":
    sys.exit(main())
