"""What an arm reports besides its state and two poses: base, speed, efforts, and its complaints."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from crtk_msgs.msg import StringStamped
from dvrk_cable_env.arm.base import Base
from dvrk_cable_env.arm.limits import ArmState
from dvrk_cable_env.arm.messages import is_rotation, to_pose
from dvrk_cable_env.arm.speed import Speed
from ls3_common import qos, topics
from ls3_common.ros import nanoseconds

LOOK_PERIOD = 0.25
"""Wall seconds between two looks at the types of the complaints' topics."""
LONGEST_TEXT = 200
"""Characters of a complaint that are quoted."""
COMPLAINTS = ("error", "warning")
"""Topics on which the arm says why it rejects a command."""
TEXTS: dict[str, Any] = {
    "std_msgs/msg/String": String,
    "crtk_msgs/msg/StringStamped": StringStamped,
}
"""Types of those topics: the robot has the first, the dVRK's simulator the second."""


@dataclasses.dataclass(frozen=True)
class Callbacks:
    """What the owner of an arm wants to be told.

    state, pose: called after every new operating state, and after every new pose.
    complaint: called with ``error`` or ``warning`` and with the text that the arm sent.
    """

    state: Callable[[], None]
    pose: Callable[[], None]
    complaint: Callable[[str, str], None]


class ArmReports:
    """Subscribes to these topics of one arm, and completes an `ArmState` with their content."""

    def __init__(
        self,
        node: Node,
        name: str,
        *,
        efforts: bool,
        on_change: Callable[[], None],
        on_complaint: Callable[[str, str], None],
    ) -> None:
        """Subscribe on `node` to the arm `name`.

        Args:
            node: owns the subscriptions.
            name: CRTK name of the arm.
            efforts: whether to subscribe to the joints' efforts.
            on_change: called when `complete` would return something else.
            on_complaint: called with ``error`` or ``warning`` and the text that the arm sent.
        """
        self._node, self._on_change, self._on_complaint = node, on_change, on_complaint
        self._base, self._speed = Base(), Speed()
        self._joints: JointState | None = None
        self._listening: dict[str, tuple[str, Any]] = {}  # topic: type, subscription
        self._complaints = {topics.arm(name, level): level for level in COMPLAINTS}
        node.create_subscription(
            PoseStamped, topics.arm(name, "local/setpoint_cp"), self._take_local, qos.NEWEST
        )
        if efforts:
            node.create_subscription(
                JointState, topics.arm(name, "measured_js"), self._take_joints, qos.NEWEST
            )
        node.create_timer(LOOK_PERIOD, self.look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.look()

    def take(self, topic: str, pose: PoseStamped) -> None:
        """Take a pose of the topic ``setpoint_cp`` or ``measured_cp``."""
        stamp = nanoseconds(pose.header.stamp)
        if topic == "measured_cp":
            self._speed.add(stamp, to_pose(pose).position)
        elif is_rotation(pose):
            self._base.add_setpoint(stamp, to_pose(pose))

    def complete(self, state: ArmState) -> ArmState:
        """Return the state with speed, base and efforts."""
        joints = self._joints
        return dataclasses.replace(
            state,
            speed=self._speed.value,
            base=self._base.pose,
            base_stamp=self._base.stamp,
            effort=tuple(joints.effort) if joints else (),
            effort_stamp=nanoseconds(joints.header.stamp) if joints else 0,
        )

    def look(self) -> None:
        """Subscribe to complaints, by the type that their publisher has.

        DDS allows a process one type for each topic, so the publisher must be known first.
        """
        for topic, level in self._complaints.items():
            name = self._node.resolve_topic_name(topic)
            found = {info.topic_type for info in self._node.get_publishers_info_by_topic(name)}
            known = sorted(found & set(TEXTS))
            before, subscription = self._listening.get(topic, ("", None))
            if not known or before in known:
                continue
            if subscription is not None:
                self._node.destroy_subscription(subscription)
                del self._listening[topic]
                continue  # the executor may still hold the subscription: the next look goes on
            # a type that the process may not have yet, or any more, must not end arm_node
            with contextlib.suppress(RuntimeError):
                self._listening[topic] = known[0], self._hear(topic, level, TEXTS[known[0]])

    def _hear(self, topic: str, level: str, kind: Any) -> Any:
        def take(message: Any) -> None:
            text = message.string if kind is StringStamped else message.data
            self._on_complaint(level, " ".join(text.split())[:LONGEST_TEXT])

        return self._node.create_subscription(kind, topic, take, qos.RELIABLE)

    def _take_local(self, pose: PoseStamped) -> None:
        if is_rotation(pose):
            self._base.add_local(nanoseconds(pose.header.stamp), to_pose(pose))
            self._on_change()

    def _take_joints(self, joints: JointState) -> None:
        self._joints = joints
        self._on_change()
