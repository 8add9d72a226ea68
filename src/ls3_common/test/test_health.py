"""What a node says of itself on /diagnostics: reasons without end do not fill its memory."""

from __future__ import annotations

from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus

from ls3_common.health import KINDS, Health


class Sink:
    """Takes the place of the publisher."""

    def __init__(self) -> None:
        self.status: Any = None

    def publish(self, array: Any) -> None:
        self.status = array.status[0]


def test_every_refusal_is_counted_and_the_frequent_ones_are_kept() -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("health", context=context)
    try:
        health, sink = Health(node), Sink()
        health._publisher = sink
        for number in range(3 * KINDS):
            health.refuse("the usual")
            health.refuse(f"a step of {number} m")
        health.accept()
        health._publish()
        values = {pair.key: pair.value for pair in sink.status.values}
        assert (values["accepted"], values["refused"]) == ("1", str(6 * KINDS))
        assert values["the usual"] == str(3 * KINDS)
        assert len(health._refused) <= KINDS
        assert (sink.status.level, sink.status.message) == (DiagnosticStatus.OK, "ok")
        health.stand("not armed")
        health._publish()
        assert (sink.status.level, sink.status.message) == (DiagnosticStatus.WARN, "not armed")
        health.stand("")
        health._publish()
        assert sink.status.message == "ok"
    finally:
        node.destroy_node()
        context.try_shutdown()
