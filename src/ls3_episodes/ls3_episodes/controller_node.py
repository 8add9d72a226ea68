"""controller_node: sends plans to ros2_control's forward controller, for domains without a PSM.

controller_node checks every PLAN against limits and publishes an ARM_COMMAND for each plan and a
MOTION_STATE for each change, as arm_node does. A motion has ended when the joints report a time
one control period after its begin.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from ls3_common import qos, ros, topics
from ls3_common.parameters import parameter
from ls3_episodes.joints import JointControl, JointLimits
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

WATCH_PERIOD_S = 0.1
"""Wall seconds between two checks of joints that report nothing."""
FLUSH_TIMEOUT_S = 0.5
"""Longest wait for the delivery of the last command before the process ends, s."""


@dataclass(frozen=True, kw_only=True)
class ControllerNodeConfig(JointLimits):
    """Parameters of controller_node, section `controller_node` of a domain's YAML."""

    interface: str = parameter(
        choices=("effort", "velocity"),
        description="command interface, as in ros2_control",
        domain="interface",
    )


class ControllerNode(Node):
    """Translates between topics and `JointControl`, which makes all decisions."""

    def __init__(self) -> None:
        super().__init__("controller_node")
        config = ros.declare(self, ControllerNodeConfig)
        self._control = JointControl(config)
        self._episode = self._step = 0
        self._published: tuple[bool, str, str] | None = None
        self._joints = self.create_publisher(
            Float64MultiArray, topics.controller(config.interface), qos.RELIABLE
        )
        self._commands = self.create_publisher(ArmCommand, topics.ARM_COMMAND, qos.RELIABLE)
        self._states = self.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self.create_subscription(JointState, topics.JOINT_STATES, self._on_joints, qos.RELIABLE)
        self.create_subscription(Plan, topics.PLAN, self._on_plan, qos.RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(WATCH_PERIOD_S, self._publish_state, clock=steady)

    def close(self) -> None:
        """Stop the joints before the process ends, whatever ended the process."""
        self._send(self._control.stop)
        self._joints.wait_for_all_acked(Duration(seconds=FLUSH_TIMEOUT_S))

    def _on_joints(self, message: JointState) -> None:
        self._control.receive(ros.nanoseconds(message.header.stamp), time.monotonic())
        self._publish_state()

    def _on_plan(self, plan: Plan) -> None:
        began = self._control.stamp
        answer = self._control.execute(
            plan.action,
            ros.nanoseconds(plan.header.stamp),
            feasible=plan.feasible,
            lacks=plan.reason,
            wall=time.monotonic(),
        )
        if answer.command:
            self._episode, self._step = plan.episode, plan.step
            self._publish_state()
            self._send(answer.command)
        if answer.outcome != "sent":
            self.get_logger().warning(
                f"plan {plan.episode}/{plan.step} {answer.outcome}: {answer.reason}",
                throttle_duration_sec=1.0,
            )
        command = ArmCommand(
            episode=plan.episode,
            step=plan.step,
            image_stamp=plan.header.stamp,
            outcome=answer.outcome,
            reason=answer.reason,
            requested=plan.action,
            sent=answer.command,
        )
        command.header.stamp = ros.to_time(self._control.end if answer.outcome == "held" else began)
        self._commands.publish(command)

    def _send(self, command: tuple[float, ...]) -> None:
        self._joints.publish(Float64MultiArray(data=command))

    def _publish_state(self) -> None:
        not_ready = self._control.not_ready(time.monotonic())
        state = (self._control.moving, not_ready, self._control.held)
        if state == self._published:
            return
        if self._published is None or self._published[1] != not_ready:
            self.get_logger().info(f"not ready: {not_ready}" if not_ready else "ready")
        self._published = state
        message = MotionState(
            moving=state[0],
            ready=not not_ready,
            reason=not_ready or self._control.held,
            episode=self._episode,
            step=self._step,
        )
        message.header.stamp = ros.to_time(self._control.stamp)
        self._states.publish(message)


def main(args: list[str] | None = None) -> None:
    """Entry point of the process."""
    sys.exit(ros.run(ControllerNode, args))


if __name__ == "__main__":
    main()
