"""Launch events for event handlers."""

from __future__ import annotations

from launch.event import Event

__all__ = ["Shutdown"]


class Shutdown(Event):
    """The launch ends: every process is to be stopped."""

    def __init__(self, *, reason: str = "reason not given", due_to_sigint: bool = False) -> None:
        self.reason, self.due_to_sigint = reason, due_to_sigint
