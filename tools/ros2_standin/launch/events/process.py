"""Events of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.event import Event

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess

__all__ = ["ProcessExited"]


class ProcessExited(Event):
    """A process has ended; `returncode` is -N if signal N ended it."""

    def __init__(
        self, *, action: ExecuteProcess, name: str, cmd: list[str], pid: int, returncode: int
    ) -> None:
        self.action, self.process_name, self.cmd = action, name, cmd
        self.pid, self.returncode = pid, returncode
