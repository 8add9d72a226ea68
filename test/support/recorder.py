"""A selector that keeps the elites that another one finds."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ls3_planner.cem import Elites, Judgement, Selector


class Recorder:
    """Stands between a planner and its selector."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self.found: list[Elites] = []

    def elites(self, *arguments: Any, **keywords: Any) -> Elites:
        """See `Selector`."""
        self.found.append(self.selector.elites(*arguments, **keywords))
        return self.found[-1]

    def look_at(self, actions: Tensor, delta_safe: float) -> Judgement:
        """See `Selector`."""
        return self.selector.look_at(actions, delta_safe)
