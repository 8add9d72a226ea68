"""Interquartile means and probabilities of improvement, by hand and against scipy."""

import numpy as np
import pytest

from ls3.studies import ranking

pytestmark = pytest.mark.background


def test_the_interquartile_mean_by_hand():
    assert ranking.interquartile_mean([0.0, 0.2, 0.4, 1.0]) == pytest.approx(0.3)
    assert ranking.interquartile_mean([0.0, 0.5, 1.0]) == 0.5, "of three nothing is cut"
    scipy = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).random(11)
    assert ranking.interquartile_mean(values) == pytest.approx(scipy.trim_mean(values, 0.25))


def test_the_probability_of_being_better_by_hand():
    assert ranking.probability_better([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    scipy = pytest.importorskip("scipy.stats")
    first, second = np.random.default_rng(1).random((2, 5)).round(1)
    rank = scipy.mannwhitneyu(first, second).statistic
    assert ranking.probability_better(first, second) == pytest.approx(rank / 25)


def test_its_interval_is_wide_for_three_seeds_and_certain_where_they_are_apart():
    assert ranking.probability_interval([0.9, 1, 1], [0.1, 0.2, 0.3]) == (1, 1)
    low, high = ranking.probability_interval([0.9, 0.5, 0.7], [0.6, 0.8, 0.2])
    assert low < 0.3 and high == 1


def test_an_exact_rate_is_over_all_seeds():
    curves = {"0": {"success": [1.0, 0.0]}, "1": {"success": [1.0, 1.0]}}
    rate, low, high = ranking.exact_rate({"metrics": {"curves": curves}}, "success")
    assert rate == 0.75 and low == pytest.approx(0.194, abs=1e-3)
    assert high == pytest.approx(0.994, abs=1e-3)
