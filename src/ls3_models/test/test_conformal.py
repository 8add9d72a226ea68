"""The limit of split conformal prediction: its coverage, and when there are too few scores."""

from __future__ import annotations

import numpy as np
import pytest

from ls3_common.errors import DataError
from ls3_models.conformal import limit, needed

pytestmark = pytest.mark.background


@pytest.mark.parametrize(("count", "alpha"), [(20, 0.1), (57, 0.05), (199, 0.005), (99, 0.3)])
def test_a_fresh_score_is_beyond_the_limit_with_the_probability_at_most(
    count: int, alpha: float
) -> None:
    """Over calibrations drawn anew; the scores' distribution function gives the rest exactly."""
    random = np.random.default_rng(0)
    beyond = [np.exp(-limit(random.exponential(size=count), alpha)) for _ in range(4000)]
    error = np.std(beyond) / np.sqrt(len(beyond))
    assert np.mean(beyond) <= alpha + 3 * error
    assert np.mean(beyond) >= alpha - 1 / (count + 1) - 3 * error, "no wider than needed"


def test_equal_scores_are_no_harm() -> None:
    scores = np.repeat([1.0, 2.0], 50)
    assert limit(scores, 0.6) == 1.0
    assert limit(scores, 0.1) == 2.0


def test_the_limit_is_a_score_whatever_their_order() -> None:
    scores = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0, 8.0, 6.0])
    assert limit(scores, 0.1) == 9.0
    assert limit(scores, 0.2) == limit(np.sort(scores), 0.2) == 8.0


@pytest.mark.parametrize(
    ("alpha", "least"), [(0.1, 9), (0.01, 99), (0.005, 199), (0.5, 1), (0.3, 3), (0.07, 14)]
)
def test_too_few_scores_are_refused_with_the_number_needed(alpha: float, least: int) -> None:
    assert needed(alpha) == least
    limit(np.zeros(least), alpha)
    with pytest.raises(DataError, match=rf"{least - 1} rollouts.* takes {least}\b"):
        limit(np.zeros(least - 1), alpha)
