"""arm_node: PLAN, RETREAT -> filter -> `<arm>/move_cp`; ARM_COMMAND for each, and MOTION_STATE.

The independent safety layer below the planner. A software stop is no emergency stop: keep the
robot's own within reach.

A managed (lifecycle) node, which activates itself unless `autostart` is false. It sees and tells in
every state; only an active one sends anything to the arm, and `deactivate` holds.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from dvrk_cable_env.arm.arm import ArmConfig, Status
from dvrk_cable_env.arm.backends import connect
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.guard_topics import GuardTopics
from dvrk_cable_env.arm.limits import Request
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.ros import declare, nanoseconds, run, to_time
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

WATCH_PERIOD = 0.05
"""Wall seconds between looks at an arm that sends nothing."""
FLUSH_TIMEOUT = 0.5
"""Wall seconds granted to the last hold before the process leaves."""
OPERATOR = "by the operator; arm again"


class ArmNode(LifecycleNode):
    """Topics in, topics out; what happens between them is `ArmController`'s."""

    def __init__(self) -> None:
        super().__init__("arm_node")
        config = declare(self, ArmConfig)
        self._frame = config.limits.frame or f"{config.arm}_base"
        config = dataclasses.replace(
            config, limits=dataclasses.replace(config.limits, frame=self._frame)
        )
        self._episode = self._step = 0
        self._published: Status | None = None
        self._commands = self.create_publisher(ArmCommand, topics.ARM_COMMAND, qos.RELIABLE)
        self._states = self.create_publisher(MotionState, topics.MOTION_STATE, qos.CHANGES)
        self._health = Health(self)
        self._guard_topics = GuardTopics(self, config.arm, config.guards)
        self._arm = connect(
            config.backend, self, config.arm, on_state=self._watch, on_pose=self._on_pose
        )
        self._controller = ArmController(self._arm, config, self._guard_topics.guards)
        for topic in (topics.PLAN, topics.RETREAT):  # whoever asks, the filter is the same
            self.create_subscription(Plan, topic, self._on_plan, qos.RELIABLE)
        self._serve("arm", self._controller.rearm, "armed")
        self._serve("disarm", lambda: self._stop(f"disarmed {OPERATOR}"), "holding")
        self._serve("stop", lambda: self._stop(f"stopped {OPERATOR}"), "holding")
        self._serve("pause", self._pause, "no plan is accepted any more")
        self._serve("reset", self._controller.reset, "no fault, not armed")
        self._serve("home", self._controller.home, "enabling and homing, not armed")
        # by the wall: a simulated clock that has stopped must not stop the watch
        self.create_timer(WATCH_PERIOD, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if config.autostart:
            self.trigger_configure()
            self.trigger_activate()
        self._watch()

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """From now on plans are heard; after a `deactivate` the operator arms first."""
        self._controller.activate()
        self._watch()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Hold, whatever is under way, and refuse."""
        self._controller.deactivate()
        self._watch()
        return TransitionCallbackReturn.SUCCESS

    on_shutdown = on_deactivate  # it is reached from active without a deactivate
    on_error = on_deactivate

    def close(self) -> None:
        """Leave with the arm holding, whatever the reason to leave."""
        self._controller.leave()
        self._arm.flush(FLUSH_TIMEOUT)

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_pose(self) -> None:
        # hundreds a second; of an arm that is ready and at rest the timer sees enough
        if self._published is None or self._published.moving or not self._published.ready:
            self._watch()

    def _watch(self) -> None:
        self._publish_state(self._controller.update(self._now()))

    def _on_plan(self, plan: Plan) -> None:
        now = self._now()
        request = Request(
            action=tuple(map(float, plan.action)),
            image_stamp=nanoseconds(plan.header.stamp),
            feasible=plan.feasible,
        )
        decision = self._controller.execute(request, now)
        command = ArmCommand(
            episode=plan.episode,
            step=plan.step,
            image_stamp=plan.header.stamp,
            outcome=decision.outcome,
            reason=decision.reason,
            requested=plan.action,
            sent=decision.displacement,
        )
        command.header.stamp, command.header.frame_id = to_time(now), self._frame
        self._commands.publish(command)
        if decision.moves:
            self._episode, self._step = plan.episode, plan.step
            self._health.accept()
        else:
            self._health.refuse(f"plan {decision.outcome}: {decision.reason}")
        self._publish_state(self._controller.status())

    def _serve(self, name: str, act: Callable[[], str], done: str) -> None:
        """An operator's service; `act` returns why it could not be, or nothing."""

        def answer(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            self._guard_topics.look()
            self._watch()
            reason = act()
            self._watch()
            self.get_logger().info(f"operator: {name}: {reason or done}")
            still = self._controller.status().reason
            hint = f", but {still}" if name == "arm" and still else ""
            response.success, response.message = not reason, reason or done + hint
            return response

        self.create_service(Trigger, f"~/{name}", answer)

    def _stop(self, reason: str) -> str:
        self._controller.stop(reason)
        return ""

    def _pause(self) -> str:
        self._controller.pause(f"paused {OPERATOR}")
        return ""

    def _publish_state(self, status: Status) -> None:
        last, self._published = self._published, status
        if status == last:
            return
        self._health.stand("" if status.ready else f"not ready: {status.reason}")
        if last is None or status.reason != last.reason:
            if status.ready:
                self.get_logger().info("ready")
            else:
                self.get_logger().warning(f"not ready: {status.reason}")
        message = MotionState(
            moving=status.moving,
            ready=status.ready,
            reason=status.reason,
            episode=self._episode,
            step=self._step,
        )
        message.header.stamp, message.header.frame_id = to_time(status.stamp), self._frame
        self._states.publish(message)


def main(args: list[str] | None = None) -> None:
    sys.exit(run(ArmNode, args))


if __name__ == "__main__":
    main()
