"""For commands that take minutes: progress with an ETA, and stops that lose no work."""

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

LINE_INTERVAL_S = 15.0
"""Time between two lines of progress if the output is not a terminal."""


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived. The work is saved; the same command continues from there."""


class StopRequest:
    """A context manager that turns SIGINT and SIGTERM into the flag `requested`.

    The caller looks at the flag where stopping is safe. A second signal raises KeyboardInterrupt.
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
    """One task of a progress display; without a display, a line now and then."""

    def __init__(self, name: str, total: int, done: int, progress: Progress | None) -> None:
        """Begin at `done` of `total` steps; `progress` is None if the output is no terminal."""
        self.name, self.total, self.done = name, total, done
        self._first, self._started = done, time.monotonic()
        self._printed = self._started
        self._progress = progress
        self._task = progress.add_task(name, total=total, completed=done) if progress else None

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count `steps` more as done, and show `note` beside the count."""
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
    """Show progress from `done` to `total` steps during the block."""
    from rich.console import Console  # imported here, so that `ls3 --help` starts faster

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
