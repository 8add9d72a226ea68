"""Threads that each work on a block of their own."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from ls3_models.memory import keep_freed_memory

Part = TypeVar("Part")


class Workers:
    """As many threads as torch may use, one torch thread in each.

    Torch's own threads meet after every operation. A plan has some ten thousand of them, and the
    meetings took half its time, or most of it where waiting threads sleep, which they must when
    other processes need the cores. Blocks are worked on from end to end by one thread, so that
    results do not depend on the number of threads either.
    """

    def __init__(self) -> None:
        keep_freed_memory()
        self._count = count = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, "planner", _begin) if count > 1 else None
        if self._pool is not None:
            all_here = threading.Barrier(count)
            list(self._pool.map(lambda _: all_here.wait(), range(count)))
            torch.set_num_threads(count)  # what _begin set is torch's default for new threads too

    def share(self, rows: int, about: int) -> int:
        """Size of parts of `rows` rows, near `about`, that keep all threads busy to the end."""
        rounds = max(1, round(rows / (self._count * about)))
        return max(1, math.ceil(rows / (self._count * rounds)))

    def each(self, work: Callable[[Part], None], parts: Iterable[Part]) -> None:
        """Call `work` with every part; an exception in one is raised here."""
        for _ in map(work, parts) if self._pool is None else self._pool.map(work, parts):
            pass


def _begin() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
