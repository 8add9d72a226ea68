"""Split conformal prediction: a limit that a fresh score exceeds with a chosen probability at most.

Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005. The probability counts
over the calibration scores, too: of a single calibration, it may be a little higher or lower.
"""

from __future__ import annotations

import math

import numpy as np

from ls3_common.errors import DataError

ROUNDING = 1e-9


def needed(alpha: float) -> int:
    """Return the least number of scores that a limit for this probability takes."""
    return math.ceil(1 / alpha - ROUNDING) - 1


def limit(scores: np.ndarray, alpha: float) -> float:
    """Return the limit that a score exchangeable with `scores` exceeds with at most `alpha`.

    Args:
        scores: of rollouts that nothing else was learned from, (n,).
        alpha: the probability, between 0 and 1.

    Raises:
        DataError: there are too few scores; the text names the number that is needed.
    """
    count = len(scores)
    rank = math.ceil((count + 1) * (1 - alpha) - ROUNDING)
    if rank > count:
        raise DataError(
            f"{count} rollouts, a limit that holds with probability {1 - alpha:g} takes "
            f"{needed(alpha)}",
            do="collect more",
        )
    return float(np.sort(scores)[rank - 1])
