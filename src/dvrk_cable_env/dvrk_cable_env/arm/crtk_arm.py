"""An arm that is reached through CRTK topics: a da Vinci Research Kit or a compatible robot."""

from __future__ import annotations

import dataclasses
import time

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Empty

from crtk_msgs.msg import OperatingState, StringStamped
from dvrk_cable_env.arm.limits import ArmState
from dvrk_cable_env.arm.messages import is_rotation, to_pose
from dvrk_cable_env.arm.pose import Pose
from dvrk_cable_env.arm.reports import ArmReports, Callbacks
from dvrk_cable_env.arm.stop_topics import Freeze, acknowledged
from ls3_common import qos, topics
from ls3_common.ros import nanoseconds


class CrtkArm:
    """The `Arm` protocol over the CRTK topics of one arm, e.g. ``/PSM1/setpoint_cp``.

    Commands are absolute poses, because CRTK on this robot has no relative Cartesian commands.
    `move_cp` follows a joint trajectory; for steps of a centimetre its path is nearly straight.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        callbacks: Callbacks,
        *,
        efforts: bool = False,
        freeze: Freeze | None = None,
    ) -> None:
        """Subscribe on `node` to the arm `name`, and to the joints' efforts if `efforts`.

        freeze: stops an arm that has no `hold`; None if such an arm is refused.
        """
        self._clock, self._freeze = node.get_clock(), freeze
        self._callbacks = callbacks
        self._operating = OperatingState()
        self._poses: dict[str, PoseStamped] = {}
        self._heard = time.monotonic()
        self._cache: ArmState | None = None
        for topic in ("setpoint_cp", "measured_cp"):
            node.create_subscription(
                PoseStamped,
                topics.arm(name, topic),
                lambda pose, topic=topic: self._take_pose(topic, pose),
                qos.NEWEST,
            )
        node.create_subscription(
            OperatingState,
            topics.arm(name, "operating_state"),
            self._take_state,
            qos.CHANGES,
        )
        self._state_command = node.create_publisher(
            StringStamped, topics.arm(name, "state_command"), qos.RELIABLE
        )
        self._move_cp = node.create_publisher(
            PoseStamped, topics.arm(name, "move_cp"), qos.RELIABLE
        )
        self._hold = node.create_publisher(Empty, topics.arm(name, "hold"), qos.RELIABLE)
        self._reports = ArmReports(
            node,
            name,
            efforts=efforts,
            on_change=self._forget,
            on_complaint=callbacks.complaint,
        )

    def state(self) -> ArmState:
        if self._cache is None:
            self._cache = self._assemble()
        return dataclasses.replace(self._cache, silence=time.monotonic() - self._heard)

    def command(self, name: str) -> bool:
        if self._state_command.get_subscription_count() == 0:
            return False
        message = StringStamped(string=name)
        message.header.stamp = self._clock.now().to_msg()
        self._state_command.publish(message)
        return True

    def move(self, goal: Pose) -> tuple[float, ...]:
        setpoint = self._poses.get("setpoint_cp")
        if setpoint is None:
            return ()
        message = PoseStamped()
        message.header.frame_id = setpoint.header.frame_id
        message.header.stamp = self._clock.now().to_msg()
        place, turn = message.pose.position, message.pose.orientation
        place.x, place.y, place.z = goal.position
        turn.x, turn.y, turn.z, turn.w = goal.rotation
        self._move_cp.publish(message)
        return (place.x, place.y)

    def hold(self) -> None:
        self._hold.publish(Empty())

    def freeze(self) -> bool:
        return self._freeze is not None and self._freeze.send()

    def received(self) -> bool:
        return acknowledged(self._hold) and (self._freeze is None or self._freeze.received())

    def _take_pose(self, topic: str, pose: PoseStamped) -> None:
        self._poses[topic] = pose
        self._heard = time.monotonic()
        self._reports.take(topic, pose)
        self._forget()
        self._callbacks.pose()

    def _take_state(self, state: OperatingState) -> None:
        self._operating = state
        self._forget()
        self._callbacks.state()

    def _forget(self) -> None:
        self._cache = None

    def _assemble(self) -> ArmState:
        operating = self._operating
        known = {
            "state": operating.state,
            "is_homed": operating.is_homed,
            "is_busy": operating.is_busy,
        }
        setpoint, measured = self._poses.get("setpoint_cp"), self._poses.get("measured_cp")
        if setpoint is None or measured is None:
            return ArmState(**known)
        stamps = [nanoseconds(pose.header.stamp) for pose in (setpoint, measured)]
        frames = {pose.header.frame_id for pose in (setpoint, measured)}
        at, tip = to_pose(setpoint), to_pose(measured)
        state = ArmState(
            **known,
            stamp=min(stamps) if is_rotation(setpoint) and is_rotation(measured) else 0,
            frame=" and ".join(sorted(frames)),
            setpoint=at.position,
            measured=tip.position,
            setpoint_rotation=at.rotation,
            measured_rotation=tip.rotation,
        )
        return self._reports.complete(state)
