"""The optimiser on landscapes made to mislead it."""

import dataclasses

import numpy as np
import pytest
import torch
from random_models import random_bundle

from ls3_common.errors import DataError
from ls3_planner.cem import CrossEntropyPlanner, Elites
from ls3_planner.config import Cost, PlannerConfig
from ls3_planner.judge import Judgement
from ls3_planner.selection import fast_planner

pytestmark = pytest.mark.background

COST = Cost(candidates=200, particles=4, elites=20, iterations=4)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=3, delta_safe=0.8, delta_constraint=0.2, random_share=0.3
)
LATENT = np.zeros(32), np.ones(32)


class Landscape:
    """Stands where the selector does: judges candidates by functions of their actions.

    `inside` sees actions and delta_S, the others see actions only. reach: the highest delta_S at
    which elites that are outside would be inside. level, fresh_level: f_S that the search and
    fresh particles say, of actions; without it fresh particles say 1 inside and 0 outside.
    """

    def __init__(
        self,
        score,
        inside=None,
        violation=None,
        membership=None,
        reach=1.0,
        level=None,
        fresh_level=None,
    ):
        self.level = level or (lambda actions: torch.ones(len(actions)))
        self.score = score
        self.membership = membership or (lambda actions: torch.zeros(len(actions)))
        self.inside = inside or (lambda actions, delta: torch.ones(len(actions), dtype=torch.bool))
        self.violation = violation or (lambda actions: torch.zeros(len(actions)))
        self.reach = reach
        self.fresh_level = fresh_level or (
            lambda actions: self.inside(actions, self.delta_safe).float()
        )
        self.seen, self.judged, self.particles = [], [], []

    def draw(self, start, horizon, particles, generator):
        self.particles.append(particles)

    def elites(self, candidates, delta_safe, *, final):
        self.seen.append((candidates, delta_safe))
        self.delta_safe = delta_safe
        inside, violation = self.inside(candidates, delta_safe), self.violation(candidates)
        score = self.score(candidates)
        feasible = inside & (violation <= self.delta_constraint) & torch.isfinite(score)
        if feasible.any():
            key, among = score, feasible
        elif inside.any():
            key, among = -violation, inside
        else:
            key, among = self.membership(candidates), torch.ones_like(inside)
        key = torch.where(among, key, -torch.inf)
        index = torch.topk(key, min(COST.elites, int(among.sum()))).indices
        return Elites(
            index,
            candidates[index],
            inside=bool(inside.any()),
            feasible=bool(feasible.any()),
            levels=torch.where(
                inside[index], self.level(candidates[index]), torch.tensor(self.reach)
            ).expand(2, -1),
            excess=violation[index] - self.delta_constraint,
        )

    def judge(self, actions):
        self.judged.append(actions)
        violation = self.violation(actions)
        return Judgement(
            actions=actions,
            imagined=torch.zeros(len(actions), actions.shape[1], 32),
            levels=self.fresh_level(actions).expand(self.particles[-1], -1),
            constraint_probability=violation,
            excess=violation - self.delta_constraint,
            score=lambda index: self.score(actions[index]).nan_to_num(nan=-torch.inf),
        )


def planner(landscape, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    landscape.delta_constraint = config.delta_constraint
    return CrossEntropyPlanner(random_bundle(), config, landscape, seed=0)


def to_the_right(actions):
    return -(actions - torch.tensor([0.6, -0.3])).square().sum(dim=(1, 2))


def test_finds_the_best_action():
    plan = planner(Landscape(to_the_right)).plan(*LATENT)
    assert plan.feasible
    np.testing.assert_allclose(plan.action / 0.015, [0.6, -0.3], atol=0.15)
    np.testing.assert_array_equal(plan.action, plan.action_sequence[0])
    assert plan.delta_safe == 0.8 and plan.relaxations == 0


def test_every_iteration_is_evaluated():
    landscape = Landscape(to_the_right)
    planner(landscape).plan(*LATENT)
    assert len(landscape.seen) == COST.iterations


def test_candidates_stay_within_the_action_bounds():
    landscape = Landscape(lambda actions: 1e3 * actions.sum(dim=(1, 2)))
    plan = planner(landscape, std_floor=1.0).plan(*LATENT)
    assert all(float(c.abs().max()) <= 1 for c, _ in landscape.seen)
    assert (np.abs(plan.action) <= np.float32(0.015)).all()


def test_never_executes_an_infeasible_candidate():
    """The best score is forbidden by (6): the plan must lie on the allowed side."""
    landscape = Landscape(
        lambda actions: actions[:, 0, 0],
        violation=lambda actions: (actions[:, 0, 0] > 0.25).float(),
    )
    for seed in range(10):
        made = planner(landscape)
        made.reset(seed)
        assert made.plan(*LATENT).action[0] / 0.015 <= 0.2501


def outside(actions, _delta):
    return torch.zeros(len(actions), dtype=torch.bool)


def test_out_of_reach_of_every_level_the_arm_holds_after_one_search():
    landscape = Landscape(to_the_right, inside=outside, reach=0.01)
    plan = planner(landscape).plan(*LATENT)
    assert not plan.feasible
    assert not plan.action.any() and not plan.action_sequence.any()
    assert plan.relaxations == CONFIG.max_relaxations
    assert plan.delta_safe == pytest.approx(0.8 * 0.8**CONFIG.max_relaxations)
    assert len(landscape.seen) == COST.iterations


def test_delta_s_is_lowered_step_by_step_where_a_search_falls_short():
    """Elites promise a level that the next search does not find."""
    landscape = Landscape(to_the_right, inside=outside, reach=0.99)
    plan = planner(landscape).plan(*LATENT)
    assert not plan.feasible and plan.relaxations == CONFIG.max_relaxations
    levels = [delta for _, delta in landscape.seen]
    np.testing.assert_allclose(levels, np.repeat([0.8 * 0.8**i for i in range(6)], 4))


def test_delta_s_is_lowered_to_what_the_search_reached_and_is_reset_for_the_next():
    landscape = Landscape(
        to_the_right, inside=lambda a, d: torch.full((len(a),), d < 0.6), reach=0.55
    )
    made = planner(landscape)
    for _ in range(2):
        landscape.seen.clear()
        plan = made.plan(*LATENT)
        assert plan.feasible and plan.relaxations == 2
        assert plan.delta_safe == pytest.approx(0.8 * 0.8**2)
        assert sorted({delta for _, delta in landscape.seen}) == pytest.approx([0.512, 0.8])


def test_an_obstacle_does_not_lower_delta_s():
    landscape = Landscape(to_the_right, violation=lambda actions: torch.ones(len(actions)))
    plan = planner(landscape).plan(*LATENT)
    assert not plan.feasible and plan.relaxations == 0
    assert {delta for _, delta in landscape.seen} == {0.8}


def test_searches_for_a_way_round_an_obstacle():
    """Only 1 in 2000 uniform candidates is feasible: descend the violation first."""
    landscape = Landscape(
        to_the_right,
        violation=lambda actions: (actions - 0.9).square().sum(dim=(1, 2)).div(8).clamp(max=1),
    )
    assert planner(landscape, delta_constraint=0.05).plan(*LATENT).feasible


def test_finds_a_small_safe_set_before_lowering_delta_s():
    """No uniform candidate is inside; f_S falls off with the distance from the set."""

    def distance(actions):
        return (actions - torch.tensor([0.7, 0.7])).norm(dim=2).amax(dim=1)

    landscape = Landscape(
        to_the_right,
        inside=lambda actions, _delta: distance(actions) < 0.3,
        membership=lambda actions: torch.exp(-3 * distance(actions)),
    )
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and plan.relaxations == 0
    assert not bool((distance(landscape.seen[0][0]) < 0.3).any())


def test_a_single_feasible_candidate():
    landscape = Landscape(
        to_the_right,
        inside=lambda a, d: torch.arange(len(a)) == 7,
        fresh_level=lambda actions: torch.ones(len(actions)),
    )
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and np.isfinite(plan.action).all()


def beyond(actions, edge):
    return actions[:, 0, 0] > edge


def test_the_best_that_fresh_particles_confirm_is_executed():
    """The search is optimistic beyond 0.5, where the score is best."""
    landscape = Landscape(
        to_the_right,
        level=lambda actions: 1.0 - 0.1 * actions[:, 0, 0],
        fresh_level=lambda actions: (~beyond(actions, 0.5)).float(),
    )
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and plan.relaxations == 0
    assert plan.action[0] / 0.015 <= 0.5
    assert landscape.particles[-1] == COST.fresh_particles
    assert beyond(landscape.judged[0], 0.5).any(), "the best were judged, and refused"


def test_what_no_fresh_particle_confirms_is_not_executed_and_few_are_asked():
    landscape = Landscape(to_the_right, fresh_level=lambda actions: torch.zeros(len(actions)))
    plan = planner(landscape, max_relaxations=0).plan(*LATENT)
    assert not plan.feasible and not plan.action.any()
    assert sum(map(len, landscape.judged)) == COST.judged


def test_a_plan_of_an_earlier_iteration_is_not_lost():
    """From the second iteration on nothing is feasible."""
    landscape = Landscape(to_the_right, fresh_level=lambda actions: torch.ones(len(actions)))
    landscape.inside = lambda actions, delta: torch.full((len(actions),), len(landscape.seen) == 1)
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and plan.relaxations == 0
    executed = torch.tensor(plan.action_sequence / 0.015)
    assert (landscape.seen[0][0] - executed).abs().amax(dim=(1, 2)).min() < 1e-5


def test_fresh_particles_lower_delta_s_to_the_level_that_they_confirm():
    landscape = Landscape(
        to_the_right, fresh_level=lambda actions: torch.full((len(actions),), 0.6)
    )
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and plan.relaxations == 2
    assert plan.delta_safe == pytest.approx(0.512)


def test_a_plan_of_a_search_at_a_higher_level_is_not_lost():
    """Fresh particles confirm the first search's plans at a level whose own search finds none."""
    landscape = Landscape(
        to_the_right, fresh_level=lambda actions: torch.full((len(actions),), 0.6)
    )
    landscape.inside = lambda actions, delta: torch.full((len(actions),), delta == 0.8)
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and plan.relaxations == 2


def deep(actions, delta):
    """Whether a set is reached that no level of the first five lowerings reaches."""
    return torch.full((len(actions),), delta < 0.1)


def test_after_a_long_hold_delta_s_is_lowered_without_end_where_the_domain_says_so():
    landscape = Landscape(to_the_right, inside=deep, reach=0.09)
    patient = planner(landscape, patience=3)
    found = [patient.plan(*LATENT) for _ in range(8)]
    assert [plan.feasible for plan in found] == [False] * 3 + [True] + [False] * 3 + [True]
    assert found[3].relaxations == 10 and found[3].delta_safe == pytest.approx(0.8 * 0.8**10)
    assert patient.holds == 0
    for made in (planner(landscape), planner(landscape, patience=20)):
        assert not any(made.plan(*LATENT).feasible for _ in range(8))
        assert made.holds == 8
        made.reset()
        assert made.holds == 0


def test_however_long_the_hold_an_obstacle_is_no_way_through():
    landscape = Landscape(to_the_right, violation=lambda actions: torch.ones(len(actions)))
    patient = planner(landscape, patience=1)
    assert not any(patient.plan(*LATENT).feasible for _ in range(4))


def test_a_plan_after_a_hold_is_made_again_from_memory_and_holds():
    landscape = Landscape(to_the_right, inside=deep, reach=0.09)
    first, again = planner(landscape, patience=1), planner(landscape, patience=1)
    assert not first.plan(*LATENT).feasible
    memory, holds = first.memory(), first.holds
    first.recall(memory, 7, holds)
    again.recall(memory, 7, holds)
    one, other = first.plan(*LATENT), again.plan(*LATENT)
    assert one.feasible
    np.testing.assert_array_equal(one.action_sequence, other.action_sequence)


def test_plans_of_icem_are_made_again_from_its_memory():
    """The memory of iCEM holds kept elites beside the Gaussian."""
    made = [planner(Landscape(to_the_right), search="icem") for _ in range(2)]
    assert made[0].plan(*LATENT).feasible
    memory = made[0].memory()
    assert len(memory) > 2
    for one in made:
        one.recall(memory, 7)
    plans = [one.plan(*LATENT) for one in made]
    np.testing.assert_array_equal(plans[0].action_sequence, plans[1].action_sequence)
    np.testing.assert_allclose(plans[0].action / 0.015, [0.6, -0.3], atol=0.15)


@pytest.mark.parametrize(
    "shape", [(0, 5, 2), (1, 5, 2), (2, 4, 2), (2, 5, 3), (2, 5), (9999, 5, 2)]
)
def test_a_memory_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="a memory of shape"):
        planner(Landscape(to_the_right)).recall(np.zeros(shape, np.float32), 0)


def test_ties_everywhere():
    plan = planner(Landscape(lambda actions: torch.zeros(len(actions)))).plan(*LATENT)
    assert plan.feasible and plan.value == 0


def test_scores_that_are_not_numbers_are_never_chosen():
    def score(actions):
        right = actions[:, 0, 0] > 0
        return torch.where(right, torch.nan, to_the_right(actions))

    plan = planner(Landscape(score)).plan(*LATENT)
    assert plan.feasible and plan.action[0] <= 0
    nothing = planner(Landscape(lambda a: torch.full((len(a),), torch.nan))).plan(*LATENT)
    assert not nothing.feasible


def test_warm_start_uses_the_last_solution_and_reset_forgets_it():
    landscape = Landscape(to_the_right)
    made = planner(landscape)

    def spread():
        made.plan(*LATENT)
        return float(landscape.seen[-COST.iterations][0][:140].std(dim=0).mean())

    cold, warm = spread(), spread()
    assert warm < 0.5 * cold
    made.reset()
    assert spread() > 0.9 * cold


def test_the_same_seed_gives_the_same_plan():
    bundle = random_bundle()
    config = dataclasses.replace(CONFIG, delta_safe=0.05, delta_constraint=1.0)
    plans = []
    for _ in range(2):
        made = fast_planner(bundle, config, seed=1)
        made.reset(5)
        plans.append(made.plan(*LATENT))
    np.testing.assert_array_equal(plans[0].action_sequence, plans[1].action_sequence)


@pytest.mark.parametrize("bad", [np.full(32, np.nan), np.zeros(31), np.zeros((1, 32))])
def test_bad_latents_are_refused(bad):
    with pytest.raises(DataError, match="32 finite"):
        planner(Landscape(to_the_right)).plan(bad, np.ones(32))
