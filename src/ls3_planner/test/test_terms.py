"""What the objective is made up of, and its prediction by few terms."""

import numpy as np
import pytest
import torch
from random_models import random_bundle

from ls3_planner.rollout import FloatNetworks, objective
from ls3_planner.terms import all_terms, error, fit
from ls3_planner.workers import Workers

pytestmark = pytest.mark.background

HORIZON, PARTICLES, CANDIDATES = 4, 6, 40


@pytest.fixture
def networks():
    with torch.no_grad():
        yield FloatNetworks(random_bundle(3).models, Workers())


def trajectories(horizon=HORIZON):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(horizon, PARTICLES, CANDIDATES, 32, generator=draw)


@pytest.mark.parametrize("horizon", [1, HORIZON])
def test_terms_make_up_the_objective_and_can_be_asked_one_by_one(networks, horizon):
    trajectory = trajectories(horizon)
    terms, values, score = all_terms(networks, trajectory)
    np.testing.assert_allclose(score, objective(networks, trajectory), rtol=1e-5, atol=1e-6)
    assert len(terms) == len(values) == PARTICLES * (5 if horizon == 1 else 6)
    some = torch.tensor([3, 0, 31])
    for term, row in zip(terms, values, strict=True):
        found = term(networks, trajectory, some).numpy()
        np.testing.assert_allclose(found, row[some], rtol=1e-4, atol=1e-5)
        assert term.work == (1 if term.member is not None else horizon - 1)


def test_the_terms_that_decide_are_found(networks):
    terms, values, _ = all_terms(networks, trajectories())
    due = 3 + 2 * values[7] - values[20] + 0.5 * values[33]  # the last one takes three evaluations
    found = fit(terms, values, due, 5)
    assert set(found.chosen) == {7, 20, 33}
    assert np.sqrt(np.mean((found(values) - due) ** 2)) < 0.1 * due.std()


@pytest.mark.parametrize("budget", [1, 2, 7, 1000])
def test_the_budget_is_kept(networks, budget):
    terms, values, score = all_terms(networks, trajectories())
    chosen = fit(terms, values, score, budget).chosen
    assert 0 < len(chosen) == len(set(chosen))
    assert sum(terms[place].work for place in chosen) <= budget


def test_the_error_is_that_of_candidates_that_were_not_fitted(networks):
    """Of many terms some always explain a sample, even where they say nothing."""
    terms, values, _ = all_terms(networks, trajectories())
    noise = np.random.default_rng(0).standard_normal(CANDIDATES)
    found = fit(terms, values, noise, 8)
    assert np.std(found(values) - noise) < 0.8  # what the fit itself believes
    assert error(terms, values, noise, 8) > 1.0
    assert error(terms, values, values[3], 8) < 0.2 * values[3].std()
