"""What each search draws, and what each takes over."""

import dataclasses

import pytest
import torch
from torch import Generator

from ls3_planner.config import Cost, PlannerConfig
from ls3_planner.sampling import KEPT_SHARE, SEARCHES, Gaussian, ImprovedGaussian

pytestmark = pytest.mark.background

COST = Cost(candidates=200, particles=4, elites=20, iterations=4)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=5, delta_safe=0.8, delta_constraint=0.2, random_share=0.3
)


def sampler(kind, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    return kind(config, 2, Generator().manual_seed(0))


def elites(seed=0):
    return 0.2 * torch.randn(20, 5, 2, generator=Generator().manual_seed(seed)) + 0.3


def test_every_value_of_the_parameter_has_a_search():
    (field,) = [f for f in dataclasses.fields(PlannerConfig) if f.name == "search"]
    assert set(field.metadata["choices"]) == set(SEARCHES)


def test_the_paper_profile_searches_by_cem_alone():
    improved = dataclasses.replace(CONFIG, search="icem")
    assert improved.as_profile("paper").search == "cem"
    assert improved.as_profile("realtime").search == "icem"
    with pytest.raises(ValueError, match="'paper' is Table 3's search"):
        dataclasses.replace(improved, profile="paper")


@pytest.mark.parametrize("kind", SEARCHES.values())
def test_candidates_follow_the_elites_within_the_bounds(kind):
    made = sampler(kind)
    made.refit(elites())
    drawn = made.following()
    assert drawn.shape == (200, 5, 2) and float(drawn.abs().max()) <= 1
    torch.testing.assert_close(drawn.mean(dim=0), elites().mean(dim=0), atol=0.06, rtol=0)
    made.refit(torch.full((20, 5, 2), 0.9))
    assert float(made.following().std()) > 0.01, "the spread has a floor"


@pytest.mark.parametrize("kind", SEARCHES.values())
def test_the_first_candidates_are_uniform_by_a_share(kind):
    made = sampler(kind)
    assert float(made.first().std(dim=0).min()) > 0.5
    made.refit(torch.full((20, 5, 2), 0.4))
    near = (made.first() - 0.4).abs().amax(dim=(1, 2)) < 0.15
    assert 140 <= int(near.sum()) <= 140 + KEPT_SHARE * 20 + 2


@pytest.mark.parametrize("kind", SEARCHES.values())
def test_a_plan_moves_the_memory_on_by_a_step(kind):
    made = sampler(kind)
    made.refit(elites())
    before = made.memory.clone()
    made.advance()
    assert torch.equal(made.memory[:, :-1], before[:, 1:])
    assert torch.equal(made.memory[:, -1], before[:, -1])


def test_icem_keeps_elites_and_cem_does_not():
    improved, plain = sampler(ImprovedGaussian), sampler(Gaussian)
    for made, count in ((improved, round(KEPT_SHARE * 20)), (plain, 0)):
        made.refit(elites())
        assert len(made.memory) == 2 + count
        drawn = made.following()
        kept = (drawn[:, None] == elites()[None]).all(dim=(2, 3)).any(dim=1)
        assert int(kept.sum()) == count


def test_noise_of_icem_has_variance_one_and_changes_slowly():
    for horizon in (1, 2, 3, 5, 8):
        noise = sampler(ImprovedGaussian)._noise((20_000, horizon, 2))
        assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
        assert float(noise.std(dim=0).min()) > 0.9
        if horizon > 1:
            coloured = (noise[:, 0] * noise[:, 1]).mean()
            white = sampler(Gaussian)._noise((20_000, horizon, 2))
            assert float(coloured) == pytest.approx(0.5, abs=0.05)
            assert abs(float((white[:, 0] * white[:, 1]).mean())) < 0.03
