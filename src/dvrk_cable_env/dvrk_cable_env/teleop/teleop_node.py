"""teleop_node: JOY, pedals and keys -> PLAN, judged by arm_node as any other, and EPISODE_MARK.

It never speaks to the arm. No input means no plan; what is old, not finite or too short is no
input. Keys need a terminal, which `ros2 launch` does not give its nodes: for them start it with
`ros2 run`. With `drive:=false` it only marks.
"""

from __future__ import annotations

import math
import sys
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, Joy
from std_msgs.msg import String

from dvrk_cable_env.teleop.recording import header_stamp
from dvrk_cable_env.teleop.teleop import MotionStatus, Pilot, TeleopConfig
from dvrk_cable_env.teleop.teleop_input import STILL, InputFault, Joystick, Pedal, displacement
from dvrk_cable_env.teleop.teleop_keys import HELP, Keys
from dvrk_cable_env.teleop.terminal import Terminal
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.plan_message import unplanned
from ls3_common.ros import declare, nanoseconds, run
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

TICK = 0.02
"""Wall seconds between looks at keys and sticks."""
LOOK = 0.25
"""Wall seconds between looks at who else publishes plans."""
AGAIN = 10.0
"""Wall seconds after which the same reason is said once more, if it is still one."""


class TeleopNode(Node):
    """Inputs in, plans and marks out; `Pilot` says when."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        self._config = config = declare(self, TeleopConfig)
        self._pilot, self._keys = Pilot(config.settle, drives=config.drive), Keys()
        self._joystick, self._clutch = Joystick(config.joy), Pedal()
        self._terminal: Terminal | None = Terminal() if config.keyboard else None
        self._opened = False
        self._said: dict[str, tuple[str, float]] = {}  # by kind: newest reason, when it was said
        self._rival = ""
        self._health = Health(self)
        self._marks = self.create_publisher(String, topics.EPISODE_MARK, qos.RELIABLE)
        self.create_subscription(
            String, topics.EPISODE_MARK, lambda message: self._on_mark(message.data), qos.RELIABLE
        )
        self.create_subscription(Joy, topics.JOY, self._on_joy, qos.BEST_EFFORT)
        self._make_pedals()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        if config.drive:
            self._plans = self.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
            kind = CompressedImage if config.compressed else Image
            camera = topics.CAMERA_IMAGE + ("/compressed" if config.compressed else "")
            # raw: of a frame only its stamp is wanted
            self.create_subscription(kind, camera, self._on_frame, qos.BEST_EFFORT, raw=True)
            self.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE)
            self.create_subscription(MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED)
            self.create_timer(LOOK, self._look, clock=steady)
            self._look()
        self.create_timer(TICK, self._tick, clock=steady)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._terminal is not None:
            self._terminal.close()

    def _make_pedals(self) -> None:
        pedals = self._config.pedals
        if pedals.clutch:
            self.create_subscription(
                Joy,
                pedals.clutch,
                lambda message: self._clutch.hear(message.buttons),
                qos.BEST_EFFORT,
            )
        for mark in ("episode", "success", "violation", "discard"):
            if topic := getattr(pedals, mark):
                self._listen(topic, mark)

    def _listen(self, topic: str, mark: str) -> None:
        """A pedal that marks; `episode` is a start and a stop by turns."""
        pedal = Pedal()

        def tread(message: Joy) -> None:
            if pedal.hear(message.buttons):
                turn = "stop" if self._pilot.running else "start"
                self._ask(turn if mark == "episode" else mark)

        self.create_subscription(Joy, topic, tread, qos.BEST_EFFORT)

    def _on_joy(self, message: Joy) -> None:
        stamp = nanoseconds(message.header.stamp)
        # drivers stamp by the system's clock, also beside a simulation
        age = (time.time_ns() - stamp) / 1e9 if stamp else math.inf
        try:
            marks = self._joystick.hear(
                message.axes, message.buttons, age=age, now=time.monotonic()
            )
        except InputFault as fault:
            self._say("input", str(fault))
            return
        self._health.stand("")
        for mark in marks:
            self._ask(mark)

    def _on_frame(self, data: bytes) -> None:
        self._pilot.see(header_stamp(data), time.monotonic())

    def _on_motion(self, message: MotionState) -> None:
        stamp = nanoseconds(message.header.stamp)
        self._pilot.watch(
            MotionStatus(
                message.moving, message.ready, message.reason, stamp, message.episode, message.step
            )
        )

    def _on_command(self, message: ArmCommand) -> None:
        ours = self._pilot.answer(
            message.episode,
            message.step,
            message.outcome,
            nanoseconds(message.header.stamp),
            time.monotonic(),
        )
        if not ours:
            return
        if message.reason:
            self._say("arm", f"step {message.outcome}: {message.reason}")
        else:
            self._said.pop("arm", None)

    def _on_mark(self, text: str) -> None:
        self._pilot.heard(text)
        self.get_logger().info(f"mark: {text}")

    def _look(self) -> None:
        """Ask the graph whether somebody else plans."""
        found = self.get_publishers_info_by_topic(self.resolve_topic_name(topics.PLAN))
        names = sorted(info.node_name for info in found)
        if self.get_name() in names:
            names.remove(self.get_name())
        self._rival = f"another node plans for this arm: {', '.join(names)}" if names else ""

    def _tick(self) -> None:
        now = time.monotonic()
        self._type(now)
        lost = self._pilot.unheard(now)
        if lost:
            self._say("mark", f"the mark '{lost}' did not come back: mark again")
        for mark in self._pilot.due(now):
            self._marks.publish(String(data=mark))
        if self._config.drive:
            self._drive(now)

    def _type(self, now: float) -> None:
        terminal = self._terminal
        if terminal is None:
            return
        if not self._opened:  # here and not before: signals would not put it back
            self._opened = True
            reason = terminal.open()
            self.get_logger().info(f"no keys: {reason}" if reason else HELP)
        for mark in self._keys.press(terminal.read(), now):
            self._ask(mark)

    def _drive(self, now: float) -> None:
        """One step, if somebody wants one and nothing speaks against it."""
        try:
            wish = self._joystick.wish(now)
        except InputFault as fault:
            self._say("input", str(fault))
            wish = STILL
        by_key = wish == STILL
        if by_key:
            wish = self._keys.wish(now)
        # each of the clutches holds back every input
        if self._clutch.down or self._keys.clutched or self._joystick.clutched or wish == STILL:
            return
        reason = self._rival or self._pilot.refusal(now)
        if reason:
            self._say("arm", reason)
            return
        if self._pilot.waiting(now):
            return
        order = self._pilot.order(displacement(wish, self._config.max_step), now)
        if by_key:
            self._keys.done()
        plan = unplanned(order.episode, order.step, order.stamp, order.action)
        self._plans.publish(plan)
        self._health.stand("")
        self._health.accept()

    def _ask(self, mark: str) -> None:
        reason = self._pilot.ask(mark, time.monotonic())
        if reason:
            self.get_logger().warning(f"not marked '{mark}': {reason}")
        elif self._marks.get_subscription_count() < 2:  # one is this node's own
            self.get_logger().warning(f"mark '{mark}': nobody listens; is anything recording?")

    def _say(self, kind: str, reason: str) -> None:
        """Once for each reason, and again only after a while."""
        before, when = self._said.get(kind, ("", 0.0))
        now = time.monotonic()
        if reason != before or now - when > AGAIN:
            self._said[kind] = reason, now
            self._health.stand(reason)
            self.get_logger().warning(reason)


def main(args: list[str] | None = None) -> None:
    sys.exit(run(TeleopNode, args))


if __name__ == "__main__":
    main()
