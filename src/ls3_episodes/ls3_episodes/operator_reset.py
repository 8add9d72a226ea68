"""A reset by a person between two episodes on a robot: the arm returns, a person lays the cable.

1. The arm returns to the start pose along the path that it came, slowly, every step through
   arm_node's filter. If that path is unknown the arm stays, and the operator brings it back.
2. arm_node is told to stop: the arm holds and refuses every motion.
3. RESET_REQUEST and the log say what to do and which command to type. Nothing is sent to the arm.
4. With `~/continue` the operator confirms that hands are off; only then arm_node is armed again.
   `~/discard` discards the episode that is running or has just ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from rclpy.client import Client
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ls3_common import qos, ros, topics
from ls3_common.parameters import parameter
from ls3_episodes.retreat import Point, ReturnPath
from ls3_episodes.waiting import Aborted, Cancelled, Waiter, not_cancelled

DISCARDED = "discarded by the operator"
POSE_MAX_AGE = 0.5
"""Wall seconds after which the last known position of the tip no longer counts."""
SERVICE_TIMEOUT = 5.0
"""Longest wait for a service of arm_node, s of wall time."""

StepBack = Callable[[int, Point], Awaitable[None]]
"""Makes the arm take the n-th step back, a displacement (dx, dy) in m, and waits for its end."""


@dataclass(frozen=True)
class OperatorResetConfig:
    """Parameters `operator.*` of episode_node: how a person resets the scene, in m and s."""

    arm: str = parameter("PSM1", description="CRTK name of the arm that returns to its start")
    timeout: float = parameter(
        600.0,
        low=0.1,
        high=86400.0,
        description="longest wait for ~/continue; afterwards the arm stays held",
        unit="s",
    )
    step: float = parameter(
        0.005,
        low=0.001,
        description="longest step on the way back, at most limits.max_step of arm_node",
        unit="m",
    )
    speed: float = parameter(
        0.01, low=0.001, high=0.1, description="largest mean speed on the way back", unit="m/s"
    )
    tolerance: float = parameter(
        0.003,
        low=0.001,
        high=0.02,
        description="largest distance from the start pose at ~/continue",
        unit="m",
    )


class OperatorReset:
    """Performs resets by an operator on behalf of one episode_node.

    prepared: whether an operator has called `~/continue` since the arm last worked.
    discarded: whether the operator discarded the episode that runs or has just ended.
    episode: number of the episode that may be discarded; None if there is none.
    """

    def __init__(self, node: Node, config: OperatorResetConfig, waiter: Waiter) -> None:
        """Offer `~/continue` and `~/discard` on `node`, and follow the arm's pose."""
        self._node, self._config, self._waiter = node, config, waiter
        self.prepared = False
        self.discarded = False
        self.episode: int | None = None
        self._path, self._path_fault = ReturnPath(), ""
        self._start: Point | None = None
        self._tip: Point | None = None
        self._received = -math.inf
        self._waiting = self._confirmed = False
        self._requests = node.create_publisher(String, topics.RESET_REQUEST, qos.LATCHED)
        self._services = {
            name: node.create_client(Trigger, topics.arm_node(name)) for name in ("stop", "arm")
        }
        node.create_subscription(
            PoseStamped, topics.arm(config.arm, "setpoint_cp"), self._on_pose, qos.BEST_EFFORT
        )
        node.create_service(Trigger, "~/continue", self._on_continue)
        node.create_service(Trigger, "~/discard", self._on_discard)

    async def begin(self, cancelled: Callable[[], bool]) -> None:
        """Begin an episode: from now on the path of the tip is remembered.

        Raises:
            Aborted: no pose of the arm arrives.
            Cancelled: the client asked for the end.
        """
        await self._waiter.until(self._fresh, SERVICE_TIMEOUT, "pose of the arm", cancelled)
        assert self._tip is not None
        self._start, self._path_fault = self._start or self._tip, ""
        self._path.begin(self._tip)
        self.prepared = False

    async def turn(
        self,
        what: str,
        step: StepBack,
        can_move: bool,
        cancelled: Callable[[], bool] = not_cancelled,
    ) -> None:
        """Move the arm back, ask the operator to reset, and arm again after `~/continue`.

        Args:
            what: why the reset is due, for the operator.
            step: makes the arm take one step back.
            can_move: whether the arm is able to move back.
            cancelled: returns whether the client asked for the end.

        Raises:
            Aborted: the operator or arm_node did not answer in time; the arm stays held.
            Cancelled: the client asked for the end; the arm stays held.
        """
        self.prepared = self._confirmed = False
        note = await self._go_back(step, cancelled) if can_move else "the arm is not ready"
        unseen = await self._call("stop")
        doubt = f"disarmed, but NOBODY SAW THE ARM STOP: {unseen}"
        what += f". The arm is {doubt if unseen else 'held and disarmed'}"
        text = self._text(what, note)
        try:
            while not self.prepared:
                await self._ask(text, cancelled)
                refused = await self._call("arm")
                text = self._text(what, f"arm_node refused to be armed: {refused}")
                self.prepared = not refused
        except Aborted:
            self._end_turn()
            raise
        self._end_turn()

    def _end_turn(self) -> None:
        self._waiting, self.episode = False, None
        self._requests.publish(String(data=""))

    async def _go_back(self, step: StepBack, cancelled: Callable[[], bool]) -> str:
        """Move the arm back if its path is known; return a note for the operator if it is not."""
        path, config = self._path, self._config
        most = math.ceil(2 * path.length / config.step) + 10
        number = 0
        try:
            while path.start is not None:
                if not self._fresh() or self._tip is None:
                    raise Aborted("no recent pose of the arm")
                action = path.displacement_back(self._tip, config.step)
                if action is None:
                    break
                if self._path_fault or number == most:
                    raise Aborted(self._path_fault or f"not back after {most} steps")
                if cancelled():
                    raise Cancelled("cancelled")
                began = time.monotonic()
                await step(number, action)
                number += 1
                await self._until(began + math.hypot(*action) / config.speed)
        except Cancelled:
            await self._call("stop")
            raise
        except Aborted as reason:
            return f"the arm did not go back: {reason}"
        return "" if self._at_start() else "the path to the start pose is not known"

    async def _until(self, moment: float) -> None:
        """Wait until a moment of wall time (s)."""
        timeout = moment - time.monotonic() + SERVICE_TIMEOUT
        await self._waiter.until(lambda: time.monotonic() >= moment, timeout, "time")

    async def _ask(self, text: str, cancelled: Callable[[], bool]) -> None:
        self._waiting, self._confirmed = True, False
        self._requests.publish(String(data=text))
        self._node.get_logger().warning(text)
        missing = "~/continue by the operator"
        await self._waiter.until(lambda: self._confirmed, self._config.timeout, missing, cancelled)

    def _text(self, what: str, note: str) -> str:
        name = self._node.get_fully_qualified_name()
        call = "ros2 service call"
        lines = [
            f"{what}." + (f" {note[0].upper()}{note[1:]}." if note else ""),
            *([] if self._at_start() else [f"Bring the tip to {_millimetres(self._start)}."]),
            "Lay the cable at its start. When all hands are off:",
            f"  {call} {name}/continue std_srvs/srv/Trigger",
        ]
        if self.episode is not None:
            lines.append(f"To discard episode {self.episode}, before that:")
            lines.append(f"  {call} {name}/discard std_srvs/srv/Trigger")
        return "\n".join(lines)

    async def _call(self, name: str) -> str:
        """Call a service of arm_node; return why it refused, or an empty text."""
        client: Client = self._services[name]
        service = topics.arm_node(name)
        await self._waiter.until(client.service_is_ready, SERVICE_TIMEOUT, f"service {service}")
        future = client.call_async(Trigger.Request())
        future.add_done_callback(lambda _future: self._waiter.wake())
        await self._waiter.until(future.done, SERVICE_TIMEOUT, f"answer of {service}")
        answer = future.result()
        return "" if answer.success else answer.message

    def _fresh(self) -> bool:
        return time.monotonic() - self._received < POSE_MAX_AGE

    def _at_start(self) -> bool:
        if self._start is None:
            return True  # the position where the operator leaves the tip becomes the start pose
        near = self._tip is not None and math.dist(self._tip, self._start) < self._config.tolerance
        return near and self._fresh()

    def _on_pose(self, message: PoseStamped) -> None:
        tip = message.pose.position.x, message.pose.position.y
        stamped = ros.nanoseconds(message.header.stamp) > 0  # CRTK marks invalid data with 0
        if not stamped or not all(map(math.isfinite, tip)):
            return
        self._tip, self._received = tip, time.monotonic()
        if not self._path_fault and not self._path.add(tip):
            self._path_fault = "a part of the path was not seen"

    def _on_continue(self, _request: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        if not self._waiting:
            answer.message = "no reset is waiting for ~/continue"
        elif not self._at_start():
            answer.message = f"bring the tip to {_millimetres(self._start)} first"
        else:
            self._confirmed = answer.success = True
            answer.message = "the arm is being armed: hands off"
            self._waiter.wake()
        return answer

    def _on_discard(self, _request: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        if self.episode is None:
            answer.message = "there is no episode to discard"
        else:
            self.discarded = answer.success = True
            answer.message = f"episode {self.episode} is {DISCARDED}"
            self._node.get_logger().warning(answer.message)
            self._waiter.wake()
        return answer


def _millimetres(point: Point | None) -> str:
    return "its start" if point is None else f"({1e3 * point[0]:.1f}, {1e3 * point[1]:.1f}) mm"
