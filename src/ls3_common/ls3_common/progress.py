"""Progress with an ETA, and stopping without losing work, for commands that take minutes."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_INTERVAL_S = 15.0  # between lines where the output is no terminal


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived; work is saved and the same command goes on from there."""


class StopRequest:
    """Turns SIGINT and SIGTERM into a flag, looked at where stopping is safe.

    A second signal interrupts at once, as usual.
    """

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> StopRequest:
        self._previous = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        print(f"\n{signal.Signals(number).name}: saving, then stopping", file=sys.stderr)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


class Bar:
    """One task of a progress display; on a pipe or file it prints a line now and then."""

    def __init__(self, name: str, total: int, done: int, progress: Progress | None) -> None:
        self.name, self.total, self.done = name, total, done
        self._first, self._started = done, time.monotonic()
        self._printed = self._started
        self._progress = progress
        self._task = progress.add_task(name, total=total, completed=done) if progress else None

    def advance(self, note: str = "", steps: int = 1) -> None:
        self.done += steps
        if self._progress is not None and self._task is not None:
            text = f"{self.name}  {note}" if note else self.name
            self._progress.update(self._task, completed=self.done, description=text)
            return
        now = time.monotonic()
        if now - self._printed >= LINE_INTERVAL_S or self.done == self.total:
            self._printed = now
            new, eta = self.done - self._first, "unknown"
            if new:
                eta = f"{(now - self._started) / new * (self.total - self.done):.0f} s"
            print(f"{self.name}: {self.done}/{self.total}, ETA {eta}  {note}", flush=True)


@contextmanager
def bar(name: str, total: int, done: int = 0) -> Iterator[Bar]:
    """A progress bar from `done` to `total`."""
    from rich.console import Console  # here: `ls3 --help` draws none

    console = Console()
    if not console.is_terminal:
        yield Bar(name, total, done, None)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(name, total, done, progress)
