"""The ROS side of stopping: who hears CRTK `hold`, and the stop of an arm that has none."""

from __future__ import annotations

import time
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState

from crtk_msgs.msg import StringStamped
from ls3_common import qos, topics

OPERATING_STATE = "crtk_msgs/msg/OperatingState"
RECENT = 0.5
"""Wall seconds within which joint positions are recent enough to be sent back to the arm."""


def hears_hold(node: Node, arm: str) -> bool:
    """Return whether a program that drives an arm subscribes to `<arm>/hold`.

    Such a program publishes an operating state. A recorder or a monitor, which may subscribe to
    `hold` too, publishes none, and does not stop an arm.
    """
    topic = node.resolve_topic_name(topics.arm(arm, "hold"))
    return any(
        _drives_an_arm(node, info.node_name, info.node_namespace)
        for info in node.get_subscriptions_info_by_topic(topic)
    )


def _drives_an_arm(node: Node, name: str, namespace: str) -> bool:
    try:
        published = node.get_publisher_names_and_types_by_node(name, namespace)
    except RuntimeError:  # the node has just left, or its name has not arrived yet
        return False
    return any(OPERATING_STATE in kinds for _topic, kinds in published)


def acknowledged(publisher: Any) -> bool:
    """Return whether every reliable subscriber has received all messages, without waiting."""
    return bool(publisher.wait_for_all_acked(Duration(nanoseconds=1)))


class Freeze:
    """Stops an arm that has no `hold`: `servo_jp` to its newest setpoint, then `pause`."""

    def __init__(self, node: Node, arm: str) -> None:
        """Subscribe and publish on `node` for the arm with this CRTK name."""
        self._clock = node.get_clock()
        self._newest: tuple[float, JointState] | None = None
        node.create_subscription(JointState, topics.arm(arm, "setpoint_js"), self._take, qos.NEWEST)
        self._servo: Any = node.create_publisher(
            JointState, topics.arm(arm, "servo_jp"), qos.RELIABLE
        )
        self._state_command: Any = node.create_publisher(
            StringStamped, topics.arm(arm, "state_command"), qos.RELIABLE
        )

    def send(self) -> bool:
        """Send both commands, `pause` also without recent joint positions.

        Returns:
            False if a command was not sent, or nobody subscribes to it.
        """
        stamp = self._clock.now().to_msg()
        sent = self._newest is not None and time.monotonic() - self._newest[0] <= RECENT
        if self._newest is not None and sent:
            target = JointState(name=self._newest[1].name, position=self._newest[1].position)
            target.header.stamp = stamp
            self._servo.publish(target)
        message = StringStamped(string="pause")
        message.header.stamp = stamp
        self._state_command.publish(message)
        heard = (self._servo, self._state_command)
        return sent and all(publisher.get_subscription_count() for publisher in heard)

    def received(self) -> bool:
        """Return whether every subscriber has received the commands."""
        return acknowledged(self._servo) and acknowledged(self._state_command)

    def _take(self, joints: JointState) -> None:
        self._newest = (time.monotonic(), joints)
