"""Waiting inside a coroutine of a single-threaded executor: for messages, never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from ls3_common import qos

CHECK_PERIOD_S = 0.1


class Stop(Exception):
    """What is awaited will not come; the text says why."""


class Cancelled(Stop):
    """The client asked for the end."""


def never() -> bool:
    """Is not cancelled."""
    return False


class Waiter:
    """Lets one coroutine of a node wait until a condition on what the node has heard is true.

    It listens to /diagnostics, so that a time-out can tell what other nodes complain about.
    """

    def __init__(self, node: Node) -> None:
        self._changed = Future()
        self._complaints: dict[str, str] = {}
        # steady: time-outs must end also when a simulated clock stands still
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(CHECK_PERIOD_S, self.wake, clock=self._clock)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, qos.RELIABLE)

    async def until(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        missing: str | Callable[[], str],
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Return as soon as `condition` is true.

        Raises:
            Stop: `timeout_s` of wall time passed; names what was `missing`.
            Cancelled: `cancelled` is true.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if cancelled():
                raise Cancelled("cancelled")
            if time.monotonic() > deadline:
                others = "".join(f"; {name}: {text}" for name, text in self._complaints.items())
                what = missing if isinstance(missing, str) else missing()
                raise Stop(f"no {what} within {timeout_s:g} s{others}")
            self._changed = Future()
            await self._changed

    def wake(self) -> None:
        """Let the coroutine look at its condition again."""
        if not self._changed.done():
            self._changed.set_result(None)

    def waking(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """`callback` of a subscription, then `wake`."""

        def call(message: Any) -> None:
            callback(message)
            self.wake()

        return call

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.OK:
                self._complaints.pop(status.name, None)
            else:
                self._complaints[status.name] = status.message
