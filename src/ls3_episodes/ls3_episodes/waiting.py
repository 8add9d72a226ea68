"""Waits in a coroutine of a single-threaded executor, for messages and with time-outs."""

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
"""Wall seconds between two checks of a condition without any message."""


class Aborted(Exception):
    """What was awaited did not come, or the episode cannot go on; the text says why."""


class Cancelled(Aborted):
    """The client asked to end the episode."""


def not_cancelled() -> bool:
    """Return False: the default for a wait that nobody can cancel."""
    return False


class Waiter:
    """Lets one coroutine of a node wait for a condition that messages make true.

    The waiter subscribes to /diagnostics, so that a time-out can report the problems of other
    nodes.
    """

    def __init__(self, node: Node) -> None:
        """Wait on behalf of `node`."""
        self._changed = Future()
        self._complaints: dict[str, str] = {}
        # steady clock: a time-out must also end while a simulated clock stands still
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(CHECK_PERIOD_S, self.wake, clock=self._clock)
        node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.RELIABLE
        )

    async def until(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        missing: str | Callable[[], str],
        cancelled: Callable[[], bool] = not_cancelled,
    ) -> None:
        """Wait until `condition` is true.

        Args:
            condition: checked after every `wake` and every `CHECK_PERIOD_S`.
            timeout_s: longest wait, seconds of wall time.
            missing: what is awaited, for the error message.
            cancelled: returns whether the client asked for the end.

        Raises:
            Aborted: the wait timed out; the text names what was missing.
            Cancelled: `cancelled` returned True.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if cancelled():
                raise Cancelled("cancelled")
            if time.monotonic() > deadline:
                problems = "".join(f"; {name}: {text}" for name, text in self._complaints.items())
                what = missing if isinstance(missing, str) else missing()
                raise Aborted(f"no {what} within {timeout_s:g} s{problems}")
            self._changed = Future()
            await self._changed

    def wake(self) -> None:
        """Make the coroutine check its condition again."""
        if not self._changed.done():
            self._changed.set_result(None)

    def waking(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a subscription's callback that calls `callback` and then `wake`."""

        def call(message: Any) -> None:
            callback(message)
            self.wake()

        return call

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.OK:
                self._complaints.pop(status.name, None)
            else:
                self._complaints[status.name] = status.message
