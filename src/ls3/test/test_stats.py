"""Means over seeds, their errors, and intervals by a stratified bootstrap."""

import numpy as np
import pytest

from ls3.studies import stats
from ls3_models.episodes import Episode, episode_return

pytestmark = pytest.mark.background


def test_the_error_is_that_across_seeds():
    mean, error = stats.mean_and_error([[0, 1, 1], [1], [0, 0]])
    means = np.array([2 / 3, 1, 0])
    assert mean == pytest.approx(means.mean())
    assert error == pytest.approx(means.std(ddof=1) / np.sqrt(3))


def test_with_one_seed_it_is_that_across_episodes():
    assert stats.mean_and_error([[1, 2, 3]]) == (2, pytest.approx(1 / np.sqrt(3)))
    assert stats.mean_and_error([[7]]) == (7, 0)


@pytest.mark.parametrize("groups", [[], [[1], []]])
def test_without_episodes_there_is_no_mean(groups):
    with pytest.raises(ValueError, match="needs episodes"):
        stats.mean_and_error(groups)


def test_a_bootstrap_keeps_every_seed():
    """Seeds that differ but do not vary leave no doubt; unstratified draws would."""
    assert stats.interval([[0] * 10, [1] * 10]) == (0.5, 0.5)
    low, high = stats.interval([[0, 1] * 50])
    assert low < 0.5 < high and high - low == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    assert stats.interval([[0, 1] * 50]) == (low, high)


def test_an_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        low, high = stats.interval([rng.random(30) < p for p in (0.3, 0.5, 0.7)])
        hits += low <= 0.5 <= high
    assert 0.9 <= hits / 200 <= 0.99


def test_smoothing_looks_back():
    assert stats.smooth([4, 2, 0, 6], 2).tolist() == [4, 3, 1, 3]


def episode(rewards, success, constraint):
    steps = len(rewards)
    return Episode(
        observations=np.zeros((steps + 1, 2, 2, 1), np.uint8),
        actions=np.zeros((steps, 2), np.float32),
        rewards=np.array(rewards, np.float32),
        constraint=np.array(constraint),
        success=np.array(success),
        source="online",
        seed=0,
    )


def test_a_return_is_the_time_to_the_goal_or_the_whole_horizon():
    reached = episode([-1, -1, 0, -1], [False, False, True, False], [False] * 4)
    violated = episode([-1, -1], [False, False], [False, True])
    assert episode_return(reached, 10) == -2
    assert episode_return(violated, 10) == -10
    figures = stats.intervals([reached, violated], 10)
    assert figures["mean_return"] == -6 and figures["return_se"] == pytest.approx(4)
    assert figures["mean_return_interval"] == [-10, -2]
    assert figures["success_rate_interval"] == [0, 1]
