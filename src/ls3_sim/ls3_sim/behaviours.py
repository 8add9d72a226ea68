"""Behaviours: the policies that collect a domain's offline data (paper, section 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Behaviour = Callable[[Mapping[str, Any]], NDArray[np.float32]]
"""Chooses an action, float32 (actions,), from the info of a step; made anew for each episode."""
BEHAVIOURS = ("demonstration", "random", "constraint")
"""Names of the behaviours; they collect D_success, D_rand and D_constraint, in this order."""

Maker = TypeVar("Maker")


def begun(make: Callable[[], Behaviour]) -> Behaviour:
    """Return a behaviour that is made when it takes its first step.

    A behaviour is asked for before its episode is reset, and the reset may move the layout.
    """
    made: Behaviour | None = None

    def act(info: Mapping[str, Any]) -> NDArray[np.float32]:
        nonlocal made
        if made is None:
            made = make()
        return made(info)

    return act


def find_maker(makers: Mapping[str, Maker], kind: str) -> Maker:
    """Return the function that makes the behaviour `kind`, one of `BEHAVIOURS`.

    Raises:
        ValueError: the domain has no behaviour of this name.
    """
    if kind not in makers:
        raise ValueError(f"no behaviour '{kind}'; there are: {', '.join(makers)}")
    return makers[kind]
