"""teleop_node: turns JOY, pedals and keys into PLAN, which arm_node executes, and EPISODE_MARK.

teleop_node sends nothing to the arm itself. Without input there is no plan; a message that is old,
not finite or too short is no input. Keys need a terminal, which `ros2 launch` does not provide:
start teleop_node with `ros2 run` then. With `drive:=false` teleop_node only publishes marks.
"""

from __future__ import annotations

import math
import sys
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from dvrk_cable_env.camera.segmentation_frames import subscribed_camera
from dvrk_cable_env.teleop.recording import header_stamp
from dvrk_cable_env.teleop.teleop import MotionStatus, Pilot, TeleopConfig
from dvrk_cable_env.teleop.teleop_input import NEUTRAL, InputFault, Joystick, Pedal, displacement
from dvrk_cable_env.teleop.teleop_keys import HELP, Keys
from dvrk_cable_env.teleop.terminal import Terminal
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.plan_message import unplanned
from ls3_common.ros import declare, nanoseconds, run
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

INPUT_PERIOD = 0.02
"""Wall seconds between two readings of keys and sticks."""
GRAPH_PERIOD = 0.25
"""Wall seconds between two checks for other publishers of plans."""
REPEAT_WARNING = 10.0
"""Wall seconds after which a warning that still holds is repeated."""


class TeleopNode(Node):
    """Passes inputs to `Pilot`, and publishes the steps and marks that `Pilot` releases."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        self._config = config = declare(self, TeleopConfig)
        self._pilot, self._keys = Pilot(config.settle, drives=config.drive), Keys()
        self._joystick, self._clutch = Joystick(config.joy), Pedal()
        self._terminal: Terminal | None = Terminal() if config.keyboard else None
        self._opened = False
        self._warned: dict[str, tuple[str, float]] = {}  # by kind: newest warning and its time
        self._other_planner = ""
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
            kind, camera = subscribed_camera(self, config.compressed)
            # raw: only the stamp of a frame is needed
            self.create_subscription(kind, camera, self._on_frame, qos.BEST_EFFORT, raw=True)
            self.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE)
            self.create_subscription(MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED)
            self.create_timer(GRAPH_PERIOD, self._find_other_planner, clock=steady)
            self._find_other_planner()
        self.create_timer(INPUT_PERIOD, self._tick, clock=steady)

    def close(self) -> None:
        """Restore the terminal."""
        if self._terminal is not None:
            self._terminal.close()

    def _make_pedals(self) -> None:
        pedals = self._config.pedals
        if pedals.clutch:
            self.create_subscription(
                Joy,
                pedals.clutch,
                lambda message: self._clutch.receive(message.buttons),
                qos.BEST_EFFORT,
            )
        for mark in ("episode", "success", "violation", "discard"):
            if topic := getattr(pedals, mark):
                self._listen(topic, mark)

    def _listen(self, topic: str, mark: str) -> None:
        """Listen to a pedal that marks; an `episode` pedal alternates between start and stop."""
        pedal = Pedal()

        def on_pedal(message: Joy) -> None:
            if pedal.receive(message.buttons):
                alternate = "stop" if self._pilot.running else "start"
                self._request_mark(alternate if mark == "episode" else mark)

        self.create_subscription(Joy, topic, on_pedal, qos.BEST_EFFORT)

    def _on_joy(self, message: Joy) -> None:
        stamp = nanoseconds(message.header.stamp)
        # drivers stamp by the system's clock, even beside a simulation
        age = (time.time_ns() - stamp) / 1e9 if stamp else math.inf
        try:
            marks = self._joystick.receive(
                message.axes, message.buttons, age=age, now=time.monotonic()
            )
        except InputFault as fault:
            self._warn("input", str(fault))
            return
        if self._joystick.reason:
            self._warn("input", self._joystick.reason)
        else:
            self._health.stand("")
        for mark in marks:
            self._request_mark(mark)

    def _on_frame(self, data: bytes) -> None:
        self._pilot.receive_frame(header_stamp(data), time.monotonic())

    def _on_motion(self, message: MotionState) -> None:
        stamp = nanoseconds(message.header.stamp)
        self._pilot.receive_motion(
            MotionStatus(
                message.moving, message.ready, message.reason, stamp, message.episode, message.step
            )
        )

    def _on_command(self, message: ArmCommand) -> None:
        is_own = self._pilot.receive_command(
            message.episode,
            message.step,
            message.outcome,
            nanoseconds(message.header.stamp),
            time.monotonic(),
        )
        if not is_own:
            return
        if message.reason:
            self._warn("arm", f"step {message.outcome}: {message.reason}")
        else:
            self._warned.pop("arm", None)

    def _on_mark(self, text: str) -> None:
        self._pilot.receive_mark(text)
        self.get_logger().info(f"mark: {text}")

    def _find_other_planner(self) -> None:
        """Ask the graph whether another node publishes plans."""
        found = self.get_publishers_info_by_topic(self.resolve_topic_name(topics.PLAN))
        names = sorted(info.node_name for info in found)
        if self.get_name() in names:
            names.remove(self.get_name())
        others = ", ".join(names)
        self._other_planner = f"another node plans for this arm: {others}" if names else ""

    def _tick(self) -> None:
        now = time.monotonic()
        self._read_keys(now)
        lost = self._pilot.lost_mark(now)
        if lost:
            self._warn("mark", f"the mark '{lost}' was not received: mark again")
        for mark in self._pilot.due_marks(now):
            self._marks.publish(String(data=mark))
        if self._config.drive:
            self._drive(now)

    def _read_keys(self, now: float) -> None:
        terminal = self._terminal
        if terminal is None:
            return
        if not self._opened:  # not in the constructor: a signal there would not restore it
            self._opened = True
            reason = terminal.open()
            self.get_logger().info(f"no keys: {reason}" if reason else HELP)
        for mark in self._keys.press(terminal.read(), now):
            self._request_mark(mark)

    def _drive(self, now: float) -> None:
        """Publish one step, if an input asks for one and nothing forbids it."""
        try:
            deflection = self._joystick.deflection(now)
        except InputFault as fault:
            self._warn("input", str(fault))
            deflection = NEUTRAL
        by_key = deflection == NEUTRAL
        if by_key:
            deflection = self._keys.deflection(now)
        # every clutch disconnects every input
        clutched = self._clutch.down or self._keys.clutched or self._joystick.clutched
        if clutched or deflection == NEUTRAL:
            return
        reason = self._other_planner or self._pilot.refusal(now)
        if reason:
            self._warn("arm", reason)
            return
        if self._pilot.waiting(now):
            return
        step = self._pilot.next_step(displacement(deflection, self._config.max_step), now)
        if by_key:
            self._keys.consume()
        plan = unplanned(step.episode, step.step, step.stamp, step.action)
        self._plans.publish(plan)
        self._health.stand("")
        self._health.accept()

    def _request_mark(self, mark: str) -> None:
        reason = self._pilot.request_mark(mark, time.monotonic())
        if reason:
            self.get_logger().warning(f"not marked '{mark}': {reason}")
        elif self._marks.get_subscription_count() < 2:  # one subscription is this node's own
            self.get_logger().warning(
                f"mark '{mark}': no other node subscribes; is anything recording?"
            )

    def _warn(self, kind: str, reason: str) -> None:
        """Warn once for each reason, and again after a while if it still holds."""
        before, when = self._warned.get(kind, ("", 0.0))
        now = time.monotonic()
        if reason != before or now - when > REPEAT_WARNING:
            self._warned[kind] = reason, now
            self._health.stand(reason)
            self.get_logger().warning(reason)


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(TeleopNode, args))


if __name__ == "__main__":
    main()
