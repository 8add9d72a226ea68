"""A selector that keeps the elites that another one finds."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ls3_planner.cem import Elites, Selector
from ls3_planner.judge import Judgement


class Recorder:
    """Stands between a planner and its selector."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self.found: list[Elites] = []

    def elites(self, *arguments: Any, **keywords: Any) -> Elites:
        """See `Selector`."""
        self.found.append(self.selector.elites(*arguments, **keywords))
        return self.found[-1]

    def draw(self, *arguments: Any) -> None:
        """See `Selector`."""
        self.selector.draw(*arguments)

    def judge(self, actions: Tensor) -> Judgement:
        """See `Selector`."""
        return self.selector.judge(actions)
