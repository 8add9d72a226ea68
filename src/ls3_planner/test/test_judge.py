"""Confidence bounds of (5) and (6): they keep what they promise, and stay on the safe side."""

import dataclasses

import pytest
import torch

from ls3_planner.config import Cost, PlannerConfig
from ls3_planner.judge import Judgement, choose, membership_bound, passing, upper_mean

pytestmark = pytest.mark.background

COST = Cost(candidates=60, particles=4, elites=6, iterations=2)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=3, delta_safe=0.8, delta_constraint=0.2, random_share=0.3
)
MEAN = dataclasses.replace(CONFIG, safe_rule="mean")


def judgement(levels, excess=-0.1, score=0.0):
    count = levels.shape[1]
    return Judgement(
        actions=torch.zeros(count, 3, 2),
        imagined=torch.zeros(count, 3, 32),
        levels=levels,
        constraint_probability=torch.zeros(count),
        excess=torch.full((count,), excess) if isinstance(excess, float) else excess,
        score=lambda index: torch.full((count,), 0.0).add(score)[index],
    )


@pytest.mark.parametrize("true", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("particles", [50, 100, 400])
def test_the_share_is_above_its_lower_bound_as_often_as_promised(true, particles):
    torch.manual_seed(0)
    levels = (torch.rand(particles, 4000) < true).float()
    covered = (membership_bound(levels, 0.5, CONFIG) <= true).float().mean()
    assert covered >= 0.91  # Wilson's bound is approximate: near 0 and 1 a little below 0.95


def test_agreement_of_few_particles_is_no_certainty():
    for particles, least in ((8, 0.74), (100, 0.97)):
        bound = float(membership_bound(torch.ones(particles, 1), 0.5, CONFIG)[0])
        assert bound == pytest.approx(least, abs=0.01) and bound < 1
        assert float(membership_bound(torch.zeros(particles, 1), 0.5, CONFIG)[0]) == 0.0


def test_the_bound_of_a_mean():
    torch.manual_seed(0)
    values = torch.rand(100, 4000)
    assert 0.94 <= (upper_mean(values, 0, 1.645) >= 0.5).float().mean() <= 0.96
    assert (upper_mean(values, 0, 0.0) == values.mean(dim=0)).all()
    assert float(membership_bound(torch.full((20, 1), 0.7), 0.5, MEAN)[0]) == pytest.approx(0.7)


def test_each_reason_not_to_pass():
    good = torch.full((100, 1), 0.9)
    assert passing(judgement(good), 0.8, CONFIG).all()
    assert not passing(judgement(torch.full((100, 1), 0.7)), 0.8, CONFIG).any()
    assert not passing(judgement(good, excess=0.01), 0.8, CONFIG).any()
    assert choose(judgement(good), 0.8, CONFIG) is not None
    assert choose(judgement(good, score=-torch.inf), 0.8, CONFIG) is None
    assert not passing(judgement(torch.full((100, 1), -torch.inf)), 0.8, MEAN).any()
    free = dataclasses.replace(CONFIG, use_safe_set=False, use_constraint=False)
    assert passing(judgement(torch.zeros(100, 1), excess=1.0), 0.8, free).all()


def test_delta_s_is_not_lowered_to_what_fresh_particles_cannot_show():
    patient = dataclasses.replace(CONFIG, patience=1)
    least = patient.levels(1)[-1]
    assert bool(passing(judgement(torch.full((100, 1), least)), least, patient)[0])
    below = least * patient.relaxation
    assert not bool(passing(judgement(torch.ones(100, 1)), below, patient)[0])
    of_means = dataclasses.replace(patient, safe_rule="mean")
    assert of_means.levels(1)[-1] == pytest.approx(1e-3, rel=0.3)
    assert len(patient.levels(0)) == 1 + patient.max_relaxations


def test_of_ranked_candidates_the_first_with_a_finite_objective_is_chosen():
    scores = torch.tensor([-torch.inf, 1.0, 2.0])
    made = dataclasses.replace(judgement(torch.ones(100, 3)), score=lambda index: scores[index])
    found = [choose(made, 0.8, CONFIG, ranked=ranked) for ranked in (True, False)]
    assert [one and one.candidate for one in found] == [1, 2]


def test_the_best_of_those_that_pass() -> None:
    levels = torch.full((100, 3), 0.9)
    one = judgement(levels, torch.tensor([0.1, -0.1, -0.1]), torch.tensor([3.0, 1.0, 2.0]))
    best, first = choose(one, 0.8, CONFIG), choose(one, 0.8, CONFIG, ranked=True)
    assert best is not None and (best.candidate, best.score) == (2, 2.0)
    assert first is not None and (first.candidate, first.score) == (1, 1.0)
    assert choose(judgement(levels, excess=1.0), 0.8, CONFIG) is None
