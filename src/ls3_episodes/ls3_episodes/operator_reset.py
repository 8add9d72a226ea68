"""Between two episodes on a robot: the arm goes back, is disarmed, and a person re-lays the cable.

1. The arm goes back to the start pose the way that it came, slowly, each step through arm_node's
   filter. Where that way is not known it stays where it is, and the operator brings it there.
2. arm_node is told to stop: it holds, and refuses whoever asks for a motion.
3. RESET_REQUEST and the log say what to do, with the command to type. Nothing is sent to the arm.
4. `~/continue` is the operator's word that hands are off: only then arm_node is armed again.
   `~/discard` throws away the episode that has just ended, or that runs.
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
from ls3_episodes.retreat import Point, Way
from ls3_episodes.waiting import Cancelled, Stop, Waiter, never

DISCARDED = "discarded by the operator"
POSE_MAX_AGE = 0.5
"""Wall seconds after which a tip that was heard of is not where the arm is."""
SERVICE_TIMEOUT = 5.0

Step = Callable[[int, Point], Awaitable[None]]
"""Makes the arm take the n-th step back, a displacement in metres, and returns when it rests."""


@dataclass(frozen=True)
class OperatorResetConfig:
    """How the scene is reset where a person does it."""

    arm: str = parameter("PSM1", description="CRTK name of the arm that goes back")
    timeout: float = parameter(
        600.0, low=0.1, high=86400.0, description="until ~/continue; then the arm stays held",
        unit="s",
    )  # fmt: skip
    step: float = parameter(
        0.005, low=0.001, high=0.015, description="longest step on the way back", unit="m"
    )
    speed: float = parameter(
        0.01, low=0.001, high=0.1, description="largest mean speed on the way back", unit="m/s"
    )
    tolerance: float = parameter(
        0.003, low=0.001, high=0.02, description="of the start pose at ~/continue", unit="m"
    )


class OperatorReset:
    """The operator's side of one episode_node."""

    def __init__(self, node: Node, config: OperatorResetConfig, waiter: Waiter) -> None:
        self._node, self._config, self._waiter = node, config, waiter
        self.prepared = False
        """Whether an operator has said `~/continue` since the arm last worked."""
        self.discarded = False
        """Whether the episode that runs, or has just ended, is to be thrown away."""
        self.episode: int | None = None
        """The episode that may be discarded."""
        self._way, self._lost = Way(), ""
        self._start: Point | None = None
        self._tip: Point | None = None
        self._heard = -math.inf
        self._asking = self._confirmed = False
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
        """The episode starts here: from now on the way is remembered.

        Raises:
            Stop: the arm's pose does not come.
        """
        await self._waiter.until(self._fresh, SERVICE_TIMEOUT, "pose of the arm", cancelled)
        assert self._tip is not None
        self._start, self._lost = self._start or self._tip, ""
        self._way.begin(self._tip)
        self.prepared = False

    async def turn(
        self, what: str, step: Step, can_move: bool, cancelled: Callable[[], bool] = never
    ) -> None:
        """Bring the arm back, ask the operator, and arm again on his word.

        Raises:
            Stop: no answer in time, or arm_node does not answer; the arm stays held.
            Cancelled: the client asked for the end; the arm stays held.
        """
        self.prepared = self._confirmed = False
        note = await self._go_back(step, cancelled) if can_move else "the arm is not ready"
        await self._call("stop")
        text = self._text(what, note)
        try:
            while not self.prepared:
                await self._ask(text, cancelled)
                refused = await self._call("arm")
                text = self._text(what, f"arm_node refused to be armed: {refused}")
                self.prepared = not refused
        except Stop:
            self._leave_off()
            raise
        self._leave_off()

    def _leave_off(self) -> None:
        self._asking, self.episode = False, None
        self._requests.publish(String(data=""))

    async def _go_back(self, step: Step, cancelled: Callable[[], bool]) -> str:
        """Where the arm stands then, for the operator; it does not move where no way is known."""
        way, config = self._way, self._config
        most = math.ceil(2 * way.length / config.step) + 10
        number = 0
        try:
            while way.start is not None and not way.is_back:
                if self._lost or number == most:
                    raise Stop(self._lost or f"not back after {most} steps")
                if not self._fresh() or self._tip is None:
                    raise Stop("no fresh pose of the arm")
                if cancelled():
                    raise Cancelled("cancelled")
                action = way.back(self._tip, config.step)
                began = time.monotonic()
                await step(number, action)
                number += 1
                await self._until(began + math.hypot(*action) / config.speed)
        except Cancelled:
            await self._call("stop")
            raise
        except Stop as stop:
            return f"the arm did not go back: {stop}"
        return "" if self._at_start() else "the way to the start pose is not known"

    async def _until(self, moment: float) -> None:
        """Wait for a moment of the wall's clock (s)."""
        timeout = moment - time.monotonic() + SERVICE_TIMEOUT
        await self._waiter.until(lambda: time.monotonic() >= moment, timeout, "time")

    async def _ask(self, text: str, cancelled: Callable[[], bool]) -> None:
        self._asking, self._confirmed = True, False
        self._requests.publish(String(data=text))
        self._node.get_logger().warning(text)
        missing = "~/continue by the operator"
        await self._waiter.until(lambda: self._confirmed, self._config.timeout, missing, cancelled)

    def _text(self, what: str, note: str) -> str:
        name = self._node.get_fully_qualified_name()
        call = "ros2 service call"
        lines = [
            f"{what}. The arm is held and disarmed."
            + (f" {note[0].upper()}{note[1:]}." if note else ""),
            *([] if self._at_start() else [f"Bring the tip to {_millimetres(self._start)}."]),
            "Lay the cable at its start. When all hands are off:",
            f"  {call} {name}/continue std_srvs/srv/Trigger",
        ]
        if self.episode is not None:
            lines.append(f"to throw episode {self.episode} away, before that:")
            lines.append(f"  {call} {name}/discard std_srvs/srv/Trigger")
        return "\n".join(lines)

    async def _call(self, name: str) -> str:
        """Call a service of arm_node; returns why it refused."""
        client: Client = self._services[name]
        service = topics.arm_node(name)
        await self._waiter.until(client.service_is_ready, SERVICE_TIMEOUT, f"service {service}")
        future = client.call_async(Trigger.Request())
        future.add_done_callback(lambda _future: self._waiter.wake())
        await self._waiter.until(future.done, SERVICE_TIMEOUT, f"answer of {service}")
        answer = future.result()
        return "" if answer.success else answer.message

    def _fresh(self) -> bool:
        return time.monotonic() - self._heard < POSE_MAX_AGE

    def _at_start(self) -> bool:
        if self._start is None:
            return True  # wherever the operator leaves it becomes the start pose
        near = self._tip is not None and math.dist(self._tip, self._start) < self._config.tolerance
        return near and self._fresh()

    def _on_pose(self, message: PoseStamped) -> None:
        tip = message.pose.position.x, message.pose.position.y
        stamped = ros.nanoseconds(message.header.stamp) > 0  # CRTK's mark of what is valid
        if not stamped or not all(map(math.isfinite, tip)):
            return
        self._tip, self._heard = tip, time.monotonic()
        if not self._lost and not self._way.add(tip):
            self._lost = "the way that it came was not seen whole"

    def _on_continue(self, _request: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        if not self._asking:
            answer.message = "nothing waits for it"
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
