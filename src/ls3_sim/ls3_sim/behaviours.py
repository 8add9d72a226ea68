"""What the domains' data-collecting policies have in common (section 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Behaviour = Callable[[Mapping[str, Any]], NDArray[np.float32]]
"""Chooses an action from the step's info; made for one episode."""
BEHAVIOURS = ("demonstration", "random", "constraint")
"""The sources of D_success, D_rand and D_constraint."""

Maker = TypeVar("Maker")


def chosen(makers: Mapping[str, Maker], kind: str) -> Maker:
    """What a domain has under the name `kind`.

    Raises:
        ValueError: no behaviour is called so.
    """
    if kind not in makers:
        raise ValueError(f"no behaviour '{kind}', there are: {', '.join(makers)}")
    return makers[kind]
