"""Connects the guards to ROS: their topics, and the publishers in the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Float64

from dvrk_cable_env.arm.guards import (
    DeadMan,
    Guard,
    GuardConfig,
    HoldHeard,
    SoleCommander,
    SpeedRatio,
    Teleoperation,
)
from dvrk_cable_env.arm.stop_topics import hears_hold
from ls3_common import qos, topics

LOOK_PERIOD = 0.1
"""Wall seconds between two looks at the graph's publishers and subscribers; one takes 0.4 ms."""
MOTION_TOPICS = (
    *("move_cp", "move_jp", "move_jr"),
    *("servo_cp", "servo_cv", "servo_jp", "servo_jr", "servo_jf"),
    *("body/servo_cf", "spatial/servo_cf", "free"),
)
"""CRTK topics that move an arm. Other publishers of `hold` or `state_command` do no harm."""


class GuardTopics:
    """Creates the guards of one arm and keeps them informed.

    guards: the guards that the configuration asks for, in the order in which they are asked.
    hold: the guard that a stop is heard, which is also among them.
    """

    def __init__(self, node: Node, arm: str, config: GuardConfig) -> None:
        """Subscribe on `node` on behalf of the guards of the arm with this CRTK name."""
        self._node, self._arm, self._config = node, arm, config
        self.hold = HoldHeard(node.resolve_topic_name(topics.arm(arm, "hold")), config.require_hold)
        self._motion_topics = [topics.arm(arm, name) for name in MOTION_TOPICS]
        self._sole = SoleCommander() if config.sole_commander else None
        self._watched: dict[str, DeadMan | Teleoperation] = {}
        if config.pedal_topic:
            pedal = DeadMan(config.pedal_topic, config.pedal_max_age)
            self._watched[config.pedal_topic] = pedal
            node.create_subscription(
                Joy,
                config.pedal_topic,
                lambda message: pedal.receive(message.buttons),
                qos.BEST_EFFORT,
            )
        for topic in config.teleop_topics:
            console = self._watched[topic] = Teleoperation(topic)
            # latched: a late subscriber receives the last message; best effort: any publisher
            for profile in (qos.BEST_EFFORT, qos.LATCHED):
                node.create_subscription(
                    Bool,
                    topic,
                    lambda message, console=console: console.receive(message.data),
                    profile,
                )
        self._ratio = self._watch_ratio(arm, config.speed_ratio) if config.speed_ratio else None
        single: list[Guard] = [guard for guard in (self._sole, self._ratio) if guard]
        self.guards: list[Guard] = [*single, *self._watched.values(), self.hold]
        node.create_timer(LOOK_PERIOD, self.look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.look()

    def look(self) -> None:
        """Read from the graph who publishes, and tell the guards."""
        for topic, watched in self._watched.items():
            watched.present = self._node.count_publishers(topic) > 0
        self.hold.heard = hears_hold(self._node, self._arm)
        if self._sole:
            self._sole.see(self._other_publishers())
        if self._ratio:
            self._ratio.present = self._ratios.get_subscription_count() > 0

    def before_arming(self) -> None:
        """Look anew, and forget what the arm confirmed for an earlier ~/arm."""
        self.look()
        if self._ratio:
            self._ratio.ask()

    def after_arming(self) -> None:
        """Send the armed arm what it must confirm before it moves."""
        if self._ratio:
            self._ratios.publish(Float64(data=self._config.speed_ratio))

    def _watch_ratio(self, arm: str, ratio: float) -> SpeedRatio:
        guard = SpeedRatio(ratio)
        self._ratios = self._node.create_publisher(
            Float64, topics.arm(arm, "trajectory_j/set_ratio"), qos.RELIABLE
        )
        self._node.create_subscription(
            Float64,
            topics.arm(arm, "trajectory_j/ratio"),
            lambda message: guard.receive(message.data),
            qos.LATCHED,
        )
        return guard

    def _other_publishers(self) -> Iterator[str]:
        own = (self._node.get_namespace(), self._node.get_name())
        for topic in self._motion_topics:
            name = self._node.resolve_topic_name(topic)
            found = self._node.get_publishers_info_by_topic(name)
            counts = Counter((info.node_namespace, info.node_name) for info in found)
            counts[own] -= 1  # this node itself; a second node of the same name still counts
            for namespace, node in counts.elements():
                yield f"{namespace.rstrip('/')}/{node} ({topic})"
