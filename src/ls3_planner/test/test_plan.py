"""Planners are chosen by name; constraints are the heads that say that they are some."""

import dataclasses

import numpy as np
import pytest
import torch
from random_models import random_bundle

from ls3_common import parameters
from ls3_common.errors import ConfigError
from ls3_models import heads
from ls3_models.heads import Role
from ls3_planner.config import PLANNERS, Cost, PlannerConfig
from ls3_planner.plan import make_planner

pytestmark = pytest.mark.background

COST = Cost(candidates=60, particles=4, elites=6, iterations=2)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=3, delta_safe=0.05, delta_constraint=0.3, random_share=0.3
)
LATENT = np.zeros(32), np.ones(32)


class Still:
    """Does not move."""

    def __init__(self, bundle, config, seed, device):
        self.made_with = bundle.domain, config.horizon, seed, device

    def plan(self, mean, std):
        raise NotImplementedError

    def reset(self, seed=None):
        """Has nothing to forget."""


def test_a_further_planner_is_a_line_in_the_table(monkeypatch):
    monkeypatch.setitem(PLANNERS, "still", f"{__name__}:Still")
    config = dataclasses.replace(CONFIG, planner="still")
    made = make_planner(random_bundle(), config, seed=4)
    assert made.made_with == ("cable_routing", 3, 4, "cpu")


def test_a_planner_that_there_is_not_is_named():
    values = parameters.to_dict(CONFIG) | {"planner": "fats"}
    with pytest.raises(ConfigError, match=r"'planner' is 'fats'.*\n?.*fast, reference"):
        parameters.build(PlannerConfig, values, "test")


def two_constraints(monkeypatch, delta):
    """A model with a second f_C that says 0.6 of every latent, and the first says 0.1."""
    second = dataclasses.replace(heads.HEADS["constraint"], name="edge", delta=delta)
    monkeypatch.setitem(heads.HEADS, "edge", second)
    names = ("value", "safe", "constraint", "goal", "edge")
    bundle = random_bundle(config=dataclasses.replace(random_bundle().config, heads=names))
    with torch.no_grad():
        for name, says in (("constraint", 0.1), ("edge", 0.6)):
            network = bundle.models.network(name)
            network.weights[-1].zero_()
            network.biases[-1].fill_(float(torch.logit(torch.tensor(says))))
    return bundle


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(("delta", "feasible"), [(None, False), (0.5, False), (0.7, True)])
def test_each_constraint_is_held_to_its_own_bound(monkeypatch, name, delta, feasible):
    bundle = two_constraints(monkeypatch, delta)
    assert [h.role for h in bundle.models.head_list].count(Role.STEP_CONSTRAINT) == 2
    plan = make_planner(bundle, dataclasses.replace(CONFIG, planner=name)).plan(*LATENT)
    assert plan.feasible == feasible and plan.relaxations == 0
    if feasible:
        assert plan.constraint_probability == pytest.approx(0.6, abs=1e-3)
    free = dataclasses.replace(CONFIG, planner=name, use_constraint=False)
    assert make_planner(bundle, free).plan(*LATENT).feasible


@pytest.mark.parametrize("names", [("safe", "goal"), ("value",), ("value", "constraint")])
def test_a_model_may_have_fewer_heads(names):
    """A constraint that no head judges is met, and a reward that no head gives is none."""
    bundle = random_bundle(config=dataclasses.replace(random_bundle().config, heads=names))
    config = dataclasses.replace(CONFIG, delta_constraint=1.0)
    plans = [
        make_planner(bundle, dataclasses.replace(config, planner=name)).plan(*LATENT)
        for name in ("fast", "reference")
    ]
    assert all(plan.feasible for plan in plans)
    assert plans[0].safe_probability == plans[1].safe_probability == 1.0
    assert plans[0].value == pytest.approx(plans[1].value, abs=0.02)
