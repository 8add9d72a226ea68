"""A node that relays messages between the other nodes, and spoils them.

The parameter `active` names the faults. The simulation runs in the namespace `sim`, and encoder and
planner publish below `before`. Only this node connects those topics to the graph's names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Empty, String

from crtk_msgs.msg import OperatingState, StringStamped
from ls3_common import qos, topics
from ls3_common.ros import run
from ls3_interfaces.msg import Latent, Plan
from ls3_system_tests.faults import spoil
from ls3_system_tests.faults.kinds import INJECTIONS

ARM = "PSM1"
SIM, BEFORE = "sim", "before"
"""Namespaces of the simulation, and of the encoder's and planner's messages before this node."""
NAME = "fault_injector"


class Injector(Node):
    """The relay. Without an active fault, messages are passed on as bytes."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._active: frozenset[str] = frozenset()
        self._newest_state: Any = None  # serialized
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.declare_parameter("active", Parameter.Type.STRING_ARRAY)
        self.add_on_set_parameters_callback(self._on_parameters)
        self._commands = self.create_publisher(
            StringStamped, topics.arm(ARM, "state_command"), qos.RELIABLE
        )
        out = partial(topics.arm, ARM)
        self._relay(Image, topics.CAMERA_IMAGE, spoil.FrameSpoiler().pass_on, SIM)
        self._relay(Latent, topics.LATENT, spoil.latent, BEFORE)
        self._relay(Plan, topics.PLAN, spoil.plan, BEFORE)
        for name in ("setpoint_cp", "measured_cp"):
            self._relay(PoseStamped, out(name), spoil.pose, SIM)
        self._state = self._relay(
            OperatingState, out("operating_state"), spoil.operating_state, SIM, qos.LATCHED
        )
        self._relay(PoseStamped, out("local/setpoint_cp"), spoil.local_pose, SIM)
        self._errors = self.create_publisher(String, out("error"), qos.RELIABLE)
        self._relay(PoseStamped, out("move_cp"), self._move, "", target=f"{SIM}/{out('move_cp')}")
        self._robot_holds = self.create_publisher(Empty, f"{SIM}/{out('hold')}", qos.RELIABLE)
        self._hear_holds()

    def _relay(
        self,
        kind: Any,
        topic: str,
        make: Callable[[Any, Any], spoil.Passed],
        source: str,
        profile: Any = qos.RELIABLE,
        target: str = "",
    ) -> Callable[[bytes], None]:
        publisher = self.create_publisher(kind, target or topic, profile)
        latched = profile is qos.LATCHED

        def take(raw: bytes) -> None:
            if latched:
                self._newest_state = raw
            if not self._active:
                publisher.publish(raw)
                return
            for delay, message in make(self._active, deserialize_message(raw, kind)):
                if delay:
                    self._later(delay, partial(publisher.publish, message))
                else:
                    publisher.publish(message)

        origin = f"{source}/{topic}" if source else topic
        self.create_subscription(kind, origin, take, profile, raw=True)
        return take

    def _move(self, active: frozenset[str], message: Any) -> spoil.Passed:
        if "robot_rejects_moves" in active:
            self._errors.publish(String(data=spoil.REJECTION))
        return spoil.move(active, message)

    def _hear_holds(self) -> None:
        """Subscribe to `hold` on behalf of the robot."""

        def take(message: Empty) -> None:
            for _delay, kept in spoil.hold(self._active, message):
                self._robot_holds.publish(kept)

        topic = topics.arm(ARM, "hold")
        self._holds = self.create_subscription(Empty, topic, take, qos.RELIABLE)

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        def once() -> None:
            timer.cancel()
            self.destroy_timer(timer)
            act()

        timer = self.create_timer(delay, once, clock=self._steady)

    def _on_parameters(self, given: list[Parameter]) -> SetParametersResult:
        for parameter in given:
            if parameter.name != "active":
                continue
            wanted = frozenset(parameter.value or ())
            unknown = sorted(wanted - INJECTIONS.keys())
            if unknown:
                return SetParametersResult(successful=False, reason=f"no fault '{unknown[0]}'")
            self._change(wanted)
        return SetParametersResult(successful=True)

    def _change(self, wanted: frozenset[str]) -> None:
        begun, ended = wanted - self._active, self._active - wanted
        self._active = wanted
        commands = [spoil.COMMANDS[name] for name in sorted(begun & spoil.COMMANDS.keys())]
        commands += [spoil.CURES[name] for name in sorted(ended & spoil.CURES.keys())]
        for command in commands:
            self._commands.publish(StringStamped(string=command))
        if "hold_unheard" in begun:
            self.destroy_subscription(self._holds)
        if "hold_unheard" in ended:
            self._hear_holds()
        if ended and self._newest_state is not None:
            self._state(self._newest_state)  # the true state, which a fault may have hidden


def main() -> int:
    """Run the node."""
    return run(Injector)


if __name__ == "__main__":
    sys.exit(main())
