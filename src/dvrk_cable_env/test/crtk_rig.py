"""A robot that speaks CRTK, and an arm_node between a test's plans and this robot."""

from __future__ import annotations

import math
import time
from typing import Any

from ros_bench import Bench, Child

PATIENT = {
    "motion_timeout": 3.0,
    "limits__max_state_age": 1.5,
    "limits__max_image_age": 20.0,
    # the fake arm is quicker than any
    "limits__max_mean_speed": 1.0,
    "limits__max_mean_acceleration": 20.0,
    "limits__max_speed": 10.0,
}
"""Parameters for an arm_node whose limits in time are not under test: the test machine may be busy
with other things for a second."""


class FakeCrtkArm:
    """Speaks CRTK on PSM1/*: 100 Hz poses, operating_state latched and on change only.

    A move takes `duration` seconds and jumps at its end. Tests break it through attributes.
    """

    def __init__(self, bench: Bench) -> None:
        from geometry_msgs.msg import PoseStamped
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Empty

        from crtk_msgs.msg import OperatingState, StringStamped
        from crtk_msgs.srv import QueryInverseKinematics
        from ls3_common import qos

        self._types = OperatingState, PoseStamped, JointState
        self.bench, node = bench, bench.node
        self.simulated_time: int | None = None  # ns; None: the system's
        self.position = [0.0, 0.0, -0.1]
        self.state, self.is_homed, self.is_busy = "DISABLED", False, False
        self.duration = 0.05
        self.publishes_poses = self.stamps_are_valid = True
        self.ignores_moves = False
        self.climb = 0.0  # what each move ends too high, m
        self.base = [0.0, 0.0, 0.0]  # in the frame of the poses, m
        self.efforts = [0.0] * 6
        self.reach = 1.0  # of the inverse kinematics, from the base, m
        self.commands: list[str] = []
        self.moves: list[tuple[float, float, float]] = []
        self.move: Any = None  # the newest, whole
        self.holds = 0
        self._arrival: tuple[float, Any] | None = None
        self._states = node.create_publisher(OperatingState, "PSM1/operating_state", qos.LATCHED)
        self._poses = [
            node.create_publisher(PoseStamped, f"PSM1/{name}", qos.RELIABLE)
            for name in ("setpoint_cp", "measured_cp", "local/setpoint_cp")
        ]
        self._joints = [
            node.create_publisher(JointState, f"PSM1/{name}", qos.RELIABLE)
            for name in ("setpoint_js", "measured_js")
        ]
        node.create_service(QueryInverseKinematics, "PSM1/inverse_kinematics", self._inverse)
        node.create_subscription(
            StringStamped, "PSM1/state_command", self._on_command, qos.RELIABLE
        )
        node.create_subscription(PoseStamped, "PSM1/move_cp", self._on_move, qos.RELIABLE)
        node.create_subscription(Empty, "PSM1/hold", self._on_hold, qos.RELIABLE)
        node.create_timer(0.01, self._tick)
        self.publish_state()

    def now(self) -> int:
        """The robot's clock (ns)."""
        return self.bench.now() if self.simulated_time is None else self.simulated_time

    def become(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        self.publish_state()

    def publish_state(self) -> None:
        message = self._types[0](state=self.state, is_homed=self.is_homed, is_busy=self.is_busy)
        message.header.stamp = stamp(self.now())
        self._states.publish(message)

    def _on_command(self, message: Any) -> None:
        self.commands.append(message.string)
        if message.string == "enable":
            self.become(state="ENABLED")
        elif message.string == "home":
            self.become(is_homed=True)

    def _on_move(self, message: Any) -> None:
        self.move, goal = message, message.pose.position
        self.moves.append((goal.x, goal.y, goal.z))
        if not self.ignores_moves:
            self._arrival = (time.monotonic() + self.duration, goal)
            self.become(is_busy=True)

    def _on_hold(self, _message: Any) -> None:
        self.holds += 1
        if self._arrival:
            self._arrival = None
            self.become(is_busy=False)

    def _tick(self) -> None:
        if self._arrival and time.monotonic() >= self._arrival[0]:
            goal, self._arrival = self._arrival[1], None
            place = (goal.x, goal.y, goal.z + self.climb)
            self.position[:] = [a - b for a, b in zip(place, self.base, strict=True)]
            if self.simulated_time is not None:
                self.simulated_time += 20_000_000  # no robot is in two places at one time
            self._publish_poses()
            self.become(is_busy=False)
        if self.publishes_poses:
            self._publish_poses()

    def _publish_poses(self) -> None:
        moment = stamp(self.now() if self.stamps_are_valid else 0)
        position = list(self.position)  # once: a test may move the arm meanwhile
        shifted = [sum(both) for both in zip(position, self.base, strict=True)]
        for publisher, place in zip(self._poses, [shifted, shifted, position], strict=True):
            message = self._types[1]()
            message.header.frame_id = "PSM1_base"
            message.header.stamp = moment
            at = message.pose.position
            at.x, at.y, at.z = place
            message.pose.orientation.x, message.pose.orientation.w = 1.0, 0.0  # tool down
            publisher.publish(message)
        for publisher in self._joints:
            message = self._types[2](position=[0.0] * 6, effort=self.efforts)
            message.header.stamp = moment
            publisher.publish(message)

    def _inverse(self, request: Any, response: Any) -> Any:
        place = request.cp.position
        assert len(request.jp) == 6 and request.cp.orientation.x == 1.0
        response.result = math.hypot(place.x, place.y) <= self.reach
        response.message = "" if response.result else "beyond a joint limit"
        return response


def stamp(nanoseconds: int) -> Any:
    """A time of the graph's clock as a message."""
    from rclpy.time import Time

    return Time(nanoseconds=nanoseconds).to_msg()


class Rig:
    """Sends plans to a running arm_node and reads what came of them."""

    def __init__(self, arm: FakeCrtkArm, child: Child) -> None:
        from ls3_common import qos
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan

        self.arm, self.child, self.name = arm, child, "/arm_node"
        self.bench = bench = arm.bench
        self.commands = bench.collect(ArmCommand, "arm_command")
        self.states = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self._plan_type = Plan
        self._plans = bench.publisher(Plan, "plan")
        self.step = self.sent = 0  # newest plan, newest that moved the arm
        bench.until(lambda: self.states)

    def ready(self) -> Any:
        """The MotionState of an arm that is ready and has ended its last motion, once it is."""
        self.bench.until(
            lambda: (last := self.states[-1]).ready and not last.moving and last.step == self.sent
        )
        return self.states[-1]

    def not_ready(self, text: str) -> None:
        self.bench.until(lambda: not self.states[-1].ready and text in self.states[-1].reason)

    def plan(
        self,
        *action: float,
        image: int | None = None,
        feasible: bool = True,
        reason: str = "",
        patience: float = 15.0,
    ) -> Any:
        """The answer to one plan; its image is of now unless `image` (ns) says otherwise."""
        self.step += 1
        message = self._plan_type(
            episode=7, step=self.step, feasible=feasible, reason=reason, action=list(action)
        )
        message.header.stamp = stamp(self.arm.now() if image is None else image)
        self._plans.publish(message)
        answer = self.bench.until(lambda: self._answers(7, self.step), patience)[0]
        if answer.outcome in ("sent", "clamped"):
            self.sent = self.step
        assert answer.image_stamp == message.header.stamp
        return answer

    def _answers(self, episode: int, step: int) -> list[Any]:
        return [c for c in self.commands if (c.episode, c.step) == (episode, step)]

    def rearm(self) -> None:
        """Whatever a test did to the arm is undone and the operator arms it again."""
        arm = self.arm
        arm.publishes_poses = arm.stamps_are_valid = True
        arm.ignores_moves, arm.duration = False, 0.05
        arm.climb, arm.efforts = 0.0, [0.0] * 6
        arm.become(state="ENABLED", is_homed=True, is_busy=False)
        self.arm_it()
        arm.moves.clear()

    def arm_it(self) -> None:
        """The operator arms, as often as it takes: what the node knows may still be old."""
        self.bench.until(lambda: self.bench.call(f"{self.name}/arm").success)
        self.ready()
