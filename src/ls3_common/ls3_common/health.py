"""A node's health on /diagnostics, once a second of wall time: inputs accepted and refused."""

from __future__ import annotations

from collections import Counter

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from ls3_common import qos

PERIOD_S = 1.0
LOG_PERIOD_S = 2.0
KINDS = 100
"""How many different reasons are kept. Reasons that contain a number could otherwise fill the
memory."""


class Health:
    """Counts accepted and refused inputs of one node; the newest refusal is the node's status."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._accepted = 0
        self._refusals = 0
        self._refused: Counter[str] = Counter()
        self._standing = ""
        self._notes: dict[str, str] = {}
        self._newest = ""  # the last refusal, unless an input was accepted after it
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", qos.RELIABLE)
        # a steady clock, so that diagnostics go on when the simulated clock stands still
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=self._clock)

    def accept(self) -> None:
        """Count an accepted input."""
        self._accepted += 1
        self._newest = ""

    def refuse(self, reason: str) -> None:
        """Count a refused input, and log `reason`, the same text for the same mistake."""
        self._refusals += 1
        self._refused[reason] += 1
        if len(self._refused) > KINDS:
            self._refused = Counter(dict(self._refused.most_common(KINDS // 2)))
        self._newest = reason
        self._node.get_logger().warning(reason, throttle_duration_sec=LOG_PERIOD_S)

    def stand(self, reason: str) -> None:
        """Report `reason` until the next call, as what keeps the node from working; empty: none."""
        self._standing = reason

    def note(self, name: str, text: str) -> None:
        """Report a reading under `name` until the next one of that name."""
        self._notes[name] = text

    def _publish(self) -> None:
        message = self._standing or self._newest
        level = DiagnosticStatus.WARN if message else DiagnosticStatus.OK
        status = DiagnosticStatus(level=level, name=self._node.get_name(), message=message or "ok")
        counts = {"accepted": self._accepted, "refused": self._refusals}
        counts |= dict(self._refused.most_common(5))
        shown = {key: str(count) for key, count in counts.items()} | self._notes
        status.values = [KeyValue(key=key, value=text) for key, text in shown.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
