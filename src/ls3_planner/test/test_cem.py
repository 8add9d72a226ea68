"""The optimiser on landscapes made to mislead it, and the simulator against a plain loop."""

import dataclasses

import numpy as np
import pytest
import torch

from ls3_common.errors import DataError
from ls3_models.bundle import random_bundle
from ls3_planner.cem import Planner
from ls3_planner.config import Cost, PlannerConfig
from ls3_planner.rollout import Evaluation, LatentSimulator

COST = Cost(candidates=200, particles=4, elites=20, iterations=4)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=3, delta_safe=0.8, delta_constraint=0.2, random_share=0.3
)
LATENT = np.zeros(32), np.ones(32)


class Landscape:
    """Stands where the latent simulator does: judges candidates by functions of their actions.

    `inside` sees actions and delta_S, the others see actions only.
    """

    def __init__(self, score, inside=None, violation=None, membership=None):
        self.score = score
        self.membership = membership or (lambda actions: torch.zeros(len(actions)))
        self.inside = inside or (lambda actions, delta: torch.ones(len(actions), dtype=torch.bool))
        self.violation = violation or (lambda actions: torch.zeros(len(actions)))
        self.seen = []

    def evaluate(self, start, candidates, delta_safe, config, generator):
        self.seen.append((candidates, delta_safe))
        inside, violation = self.inside(candidates, delta_safe), self.violation(candidates)
        feasible = inside & (violation <= config.delta_constraint)
        score = torch.where(feasible, self.score(candidates), -torch.inf)
        feasible &= torch.isfinite(score)
        count, horizon, _ = candidates.shape
        return Evaluation(
            actions=candidates,
            imagined=torch.zeros(count, horizon, 32),
            safe_probability=inside.float(),
            membership=self.membership(candidates),
            inside=inside,
            constraint_probability=torch.where(inside, violation, 1.0),
            feasible=feasible,
            score=torch.where(feasible, score, -torch.inf),
        )


def planner(landscape, **changes):
    made = Planner(random_bundle(), dataclasses.replace(CONFIG, **changes), seed=0)
    made.simulator = landscape
    return made


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


def test_safe_set_without_a_plan_lowers_delta_s_then_holds():
    landscape = Landscape(to_the_right, inside=lambda a, d: torch.zeros(len(a), dtype=torch.bool))
    plan = planner(landscape).plan(*LATENT)
    assert not plan.feasible
    assert not plan.action.any() and not plan.action_sequence.any()
    assert plan.relaxations == CONFIG.max_relaxations
    levels = [delta for _, delta in landscape.seen]
    np.testing.assert_allclose(levels, np.repeat([0.8 * 0.8**i for i in range(6)], 4))


def test_delta_s_is_lowered_until_a_plan_exists_and_is_reset_for_the_next():
    landscape = Landscape(to_the_right, inside=lambda a, d: torch.full((len(a),), d < 0.6))
    made = planner(landscape)
    for _ in range(2):
        plan = made.plan(*LATENT)
        assert plan.feasible and plan.relaxations == 2
        assert plan.delta_safe == pytest.approx(0.8 * 0.8**2)


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
    landscape = Landscape(to_the_right, inside=lambda a, d: torch.arange(len(a)) == 7)
    plan = planner(landscape).plan(*LATENT)
    assert plan.feasible and np.isfinite(plan.action).all()


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
    config = dataclasses.replace(CONFIG, delta_safe=0.0, delta_constraint=1.0)
    plans = []
    for _ in range(2):
        made = Planner(bundle, config, seed=1)
        made.reset(5)
        plans.append(made.plan(*LATENT))
    np.testing.assert_array_equal(plans[0].action_sequence, plans[1].action_sequence)


@pytest.mark.parametrize("bad", [np.full(32, np.nan), np.zeros(31), np.zeros((1, 32))])
def test_bad_latents_are_refused(bad):
    with pytest.raises(DataError, match="32 finite"):
        planner(Landscape(to_the_right)).plan(bad, np.ones(32))


def plain_evaluation(models, start, candidates, delta_safe, config, generator):
    """Equations (2), (5) and (6) one candidate and particle at a time, with the same draws."""
    count, horizon, _ = candidates.shape
    particles, latent_dim = config.cost.particles, start.shape[1]
    first = start[0] + start[1] * torch.randn((particles, latent_dim), generator=generator)
    noise = torch.randn((horizon, particles, latent_dim), generator=generator)
    members = torch.randint(models.dynamics.mlp.members, (horizon, particles), generator=generator)
    heads = models.heads
    safe, violation, objective = [], [], []
    for n in range(count):
        steps = []
        for p in range(particles):
            z, trajectory = first[p], []
            for t in range(horizon):
                mean, log_std = models.dynamics(
                    z.expand(5, 1, -1), candidates[n, t].expand(5, 1, -1)
                )
                member = members[t, p]
                z = z + mean[member, 0] + torch.exp(log_std[member, 0]) * noise[t, p]
                trajectory.append(z)
            steps.append(torch.stack(trajectory))
        z = torch.stack(steps)  # (P, H, d)
        safe.append((torch.sigmoid(heads.safe(z[None, :, -1])) >= delta_safe).float().mean())
        per_step = torch.sigmoid(heads.constraint(z.reshape(1, -1, latent_dim)))
        violation.append(per_step.reshape(particles, horizon).mean(dim=0).max())
        value = heads.value(z[:, -1].expand(heads.value.members, -1, -1)).mean()
        goals = torch.sigmoid(heads.goal(z[:, :-1].reshape(1, -1, latent_dim)))
        objective.append(value + goals.reshape(particles, -1).mean(dim=0).sum())
    return torch.stack(safe), torch.stack(violation), torch.stack(objective)


def test_simulator_equals_a_plain_loop():
    models = random_bundle(3).models
    cost = Cost(candidates=12, particles=5, elites=3, iterations=1)
    # thresholds in the middle of an untrained model's outputs, so that each outcome occurs
    config = dataclasses.replace(CONFIG, realtime=cost, delta_constraint=0.508)
    torch.manual_seed(0)
    start, candidates = torch.randn(2, 32), 2 * torch.rand(12, 3, 2) - 1
    with torch.no_grad():
        found = LatentSimulator(models).evaluate(
            start, candidates, 0.5, config, torch.Generator().manual_seed(1)
        )
        safe, violation, objective = plain_evaluation(
            models, start, candidates, 0.5, config, torch.Generator().manual_seed(1)
        )
    torch.testing.assert_close(found.safe_probability, safe)
    inside = safe >= 0.5
    assert torch.equal(found.inside, inside)
    torch.testing.assert_close(found.constraint_probability[inside], violation[inside])
    feasible = inside & (violation <= config.delta_constraint)
    assert torch.equal(found.feasible, feasible)
    torch.testing.assert_close(found.score[feasible], objective[feasible])


def test_blocks_of_rows_change_nothing(monkeypatch):
    models = random_bundle(3).models
    candidates = 2 * torch.rand(64, 3, 2) - 1
    config = dataclasses.replace(CONFIG, delta_constraint=1.0)
    results = []
    for rows in (16, 4096):
        monkeypatch.setattr("ls3_planner.rollout.BLOCK_ROWS", rows)
        with torch.no_grad():
            results.append(
                LatentSimulator(models).evaluate(
                    torch.ones(2, 32), candidates, 0.0, config, torch.Generator().manual_seed(1)
                )
            )
    torch.testing.assert_close(results[0].score, results[1].score)
    torch.testing.assert_close(results[0].imagined, results[1].imagined)
