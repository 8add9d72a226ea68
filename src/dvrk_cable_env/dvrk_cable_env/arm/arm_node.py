"""arm_node: executes the actions of PLAN and RETREAT on one arm, behind a safety filter.

The node checks every action, sends the allowed ones to `<arm>/move_cp`, publishes an ARM_COMMAND
for each action and a MOTION_STATE for each change. It is a safety layer that does not trust the
planner. A software stop is not an emergency stop: keep the robot's own within reach.

The node is a managed (lifecycle) node that activates itself unless `autostart` is false. It
receives and publishes in every state, commands the arm only while active, and holds the arm on
`deactivate`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from dvrk_cable_env.arm.arm import BY_OPERATOR, ArmConfig, Status
from dvrk_cable_env.arm.backends import connect
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.guard_topics import GuardTopics
from dvrk_cable_env.arm.limits import Request
from dvrk_cable_env.arm.reports import Callbacks
from dvrk_cable_env.arm.stopping import UNSEEN
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.ros import declare, nanoseconds, run, to_time
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

WATCH_PERIOD = 0.05
"""Wall seconds between two checks of the arm. Without them a silent arm would go unnoticed."""
SETTLE_TIMEOUT, LAST_SETTLE_TIMEOUT = 2.5, 1.0
"""Longest wait, in wall seconds, until it is known whether the arm obeys a stop: of an operator,
and before the process ends. On a robot half a second is enough, but a simulation may be slow."""
OPERATOR = f"{BY_OPERATOR}; arm again"


class ArmNode(LifecycleNode):
    """Translates between topics and `ArmController`, which makes all decisions."""

    def __init__(self) -> None:
        super().__init__("arm_node")
        config = declare(self, ArmConfig)
        self._frame = config.limits.frame or f"{config.arm}_base"
        config = dataclasses.replace(
            config, limits=dataclasses.replace(config.limits, frame=self._frame)
        )
        self._episode = self._step = 0
        self._published: Status | None = None
        self._stops: list[Future] = []  # one for each service call that awaits what comes of a stop
        self._stops_end = 0.0
        self._commands = self.create_publisher(ArmCommand, topics.ARM_COMMAND, qos.RELIABLE)
        self._states = [
            self.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED),
            self.create_publisher(MotionState, topics.MOTION_HISTORY, qos.CHANGES),
        ]
        self._health = Health(self)
        self._guard_topics = GuardTopics(self, config.arm, config.guards)
        self._arm = connect(
            config.backend,
            self,
            config.arm,
            Callbacks(self._watch, self._on_pose, self._on_complaint),
            efforts=bool(config.limits.max_effort),
            require_hold=config.guards.require_hold,
        )
        self._controller = ArmController(self._arm, config, self._guard_topics.guards)
        for topic in (topics.PLAN, topics.RETREAT):  # both pass the same filter
            self.create_subscription(Plan, topic, self._on_plan, qos.RELIABLE)
        self._serve("arm", self._rearm, "armed")
        for name, past in (("disarm", "disarmed"), ("stop", "stopped")):
            self._serve_stop(name, f"{past} {OPERATOR}")
        self._serve("pause", self._pause, "no further plan is accepted")
        self._serve("reset", self._controller.reset, "no fault, not armed")
        self._serve("home", self._controller.home, "enabling and homing; not armed")
        # wall time: if a simulated clock stops, the checks must go on
        self.create_timer(WATCH_PERIOD, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if config.autostart:
            self.trigger_configure()
            self.trigger_activate()
        self._watch()

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Accept plans again. After a `deactivate` the operator must arm first."""
        self._controller.activate()
        self._watch()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Hold the arm, also during a motion, and refuse all plans."""
        self._controller.deactivate()
        self._watch()
        return TransitionCallbackReturn.SUCCESS

    on_shutdown = on_deactivate  # a shutdown can come from the active state without a deactivate
    on_error = on_deactivate

    def close(self) -> None:
        """Stop the arm before the process ends, and report whether the arm obeys."""
        self._controller.leave()
        deadline = time.monotonic() + LAST_SETTLE_TIMEOUT
        # the poses are looked at while the arm acknowledges the stop, which some arms do late
        while time.monotonic() < deadline and not (
            self._controller.stopping.settled and self._arm.received()
        ):
            self.executor.spin_once(timeout_sec=0.02)
        stopping = self._controller.stopping
        log = self.get_logger()
        tell = log.info if stopping.obeyed else log.warning
        tell(f"ended: {stopping.report or 'nothing moved'}")

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_pose(self) -> None:
        # poses come at hundreds of Hz; for an arm that is ready and at rest the timer is enough
        if self._published is None or self._published.moving or not self._published.ready:
            self._watch()

    def _on_complaint(self, level: str, text: str) -> None:
        self.get_logger().warning(f"the arm reports the {level} '{text}'")
        self._controller.complain(level, text)
        self._watch()

    def _watch(self) -> None:
        self._publish_state(self._controller.update(self._now()))
        if self._stops and (
            self._controller.stopping.settled or time.monotonic() > self._stops_end
        ):
            for stop in self._stops:
                stop.set_result(None)
            self._stops.clear()

    def _on_plan(self, plan: Plan) -> None:
        now = self._now()
        request = Request(
            action=tuple(map(float, plan.action)),
            image_stamp=nanoseconds(plan.header.stamp),
            feasible=plan.feasible,
            lacks=plan.reason,
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
        """Offer an operator's service. `act` returns why it was refused, or an empty text."""

        def answer(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            self._guard_topics.look()
            self._watch()
            reason = act()
            self._watch()
            self.get_logger().info(f"operator: {name}: {reason or done}")
            still = self._controller.status()
            hint = "" if still.ready or name != "arm" else f", but {still.reason}"
            response.success, response.message = not reason, reason or done + hint
            return response

        self.create_service(Trigger, f"~/{name}", answer)

    def _rearm(self) -> str:
        self._guard_topics.before_arming()
        reason = self._controller.rearm()
        if not reason:
            self._guard_topics.after_arming()
        return reason

    def _serve_stop(self, name: str, reason: str) -> None:
        """Offer a service that stops the arm, and answers when it is known what came of that."""

        async def answer(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            self._controller.stop(reason)
            settled = Future()
            self._stops.append(settled)
            self._stops_end = time.monotonic() + SETTLE_TIMEOUT
            self._watch()
            await settled
            stopping = self._controller.stopping
            response.success = stopping.obeyed
            response.message = stopping.report or ("at rest" if stopping.obeyed else UNSEEN)
            self.get_logger().info(f"operator: {name}: {response.message}")
            return response

        self.create_service(Trigger, f"~/{name}", answer)

    def _pause(self) -> str:
        self._controller.pause(f"paused {OPERATOR}")
        return ""

    def _publish_state(self, status: Status) -> None:
        last, self._published = self._published, status
        if status == last:
            return
        self._health.stand("" if status.ready else f"not ready: {status.reason}")
        if not status.ready and (last is None or status.reason != last.reason):
            self.get_logger().warning(f"not ready: {status.reason}")
        elif status.ready and (last is None or not last.ready):
            self.get_logger().info("ready")
        message = MotionState(
            moving=status.moving,
            ready=status.ready,
            reason=status.reason,
            episode=self._episode,
            step=self._step,
        )
        message.header.stamp, message.header.frame_id = to_time(status.stamp), self._frame
        for publisher in self._states:
            publisher.publish(message)


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(ArmNode, args))


if __name__ == "__main__":
    main()
