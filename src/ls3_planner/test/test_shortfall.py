"""A hold names which of (5) and (6) failed, with the right figures, whatever the model says."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from random_models import random_bundle

from ls3_models import heads
from ls3_models.bundle import Bundle
from ls3_planner import cem
from ls3_planner.config import PLANNERS, Cost, PlannerConfig
from ls3_planner.judge import Judgement
from ls3_planner.plan import Plan, make_planner
from ls3_planner.shortfall import Shortfall, shortfall

pytestmark = pytest.mark.background

COST = Cost(candidates=60, particles=4, elites=6, iterations=2)
CONFIG = PlannerConfig(
    paper=COST, realtime=COST, horizon=3, delta_safe=0.8, delta_constraint=0.3, random_share=0.3
)
FREE: dict[str, Any] = {"max_relaxations": 0}


def saying(**numbers: float) -> Bundle:
    """A model whose heads say the same of every latent."""
    bundle = random_bundle()
    with torch.no_grad():
        for name, number in numbers.items():
            network = bundle.models.network(name)
            network.weights[-1].zero_()
            network.biases[-1].fill_(float(torch.logit(torch.tensor(number))))
    return bundle


def planned(bundle: Bundle, name: str, **changes: Any) -> Plan:
    config = dataclasses.replace(CONFIG, planner=name, **changes)
    return make_planner(bundle, config).plan(np.zeros(32), np.ones(32))


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("says", "changes", "reason"),
    [
        (
            {"safe": 0.1, "constraint": 0.05},
            FREE,
            "no plan, (5) fails: P(in the safe set) at most 0 of 0.2 asked at delta_S 0.8; "
            "P(violation) 0.05 of 0.3 allowed",
        ),
        (
            {"safe": 0.1, "constraint": 0.05},
            {"max_relaxations": 2},
            "no plan, (5) fails: P(in the safe set) at most 0 of 0.488 asked at delta_S 0.512; "
            "P(violation) 0.05 of 0.3 allowed",
        ),
        (
            {"safe": 0.1, "constraint": 0.05},
            FREE | {"safe_rule": "mean"},
            "no plan, (5) fails: mean f_S at most 0.1 of 0.8 asked at delta_S 0.8; "
            "P(violation) 0.05 of 0.3 allowed",
        ),
        (
            {"safe": 0.9, "constraint": 0.6},
            {},
            "no plan, (6) fails: P(violation) at least 0.6 of 0.3 allowed; "
            "P(in the safe set) 1 of 0.2 asked at delta_S 0.8",
        ),
        (
            {"safe": 0.1, "constraint": 0.6},
            FREE,
            "no plan, (5) and (6) fail: P(in the safe set) at most 0 of 0.2 asked at delta_S "
            "0.8; for that candidate P(violation) 0.6 of 0.3 allowed",
        ),
        (
            {"safe": 0.1, "constraint": 0.6},
            {"use_safe_set": False},
            "no plan, (6) fails: P(violation) at least 0.6 of 0.3 allowed",
        ),
        (
            {"safe": 0.1, "constraint": 0.6},
            FREE | {"use_constraint": False},
            "no plan, (5) fails: P(in the safe set) at most 0 of 0.2 asked at delta_S 0.8",
        ),
    ],
)
def test_the_constraint_that_failed_is_named(
    name: str, says: dict[str, float], changes: dict[str, Any], reason: str
) -> None:
    plan = planned(saying(**says), name, **changes)
    assert not plan.feasible and not plan.action.any()
    assert plan.reason == reason
    assert plan.constraint_probability == pytest.approx(says["constraint"], abs=1e-5)
    expected = float(says["safe"] > 0.5)
    if changes.get("safe_rule") == "mean":
        expected = says["safe"]
    assert plan.safe_probability == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("safe", "no plan: f_S is not finite"),
        ("constraint", "no plan: f_C is not finite"),
        ("value", "no plan: the objective (2) is not finite where (5) and (6) are met"),
        ("dynamics", "no plan: the imagined states are not finite"),
    ],
)
def test_numbers_that_are_not_finite_are_blamed_on_nothing_else(
    name: str, broken: str, reason: str
) -> None:
    bundle = saying(safe=0.9, constraint=0.05)
    models = bundle.models
    network = models.dynamics.mlp if broken == "dynamics" else models.network(broken)
    with torch.no_grad():
        network.biases[-1].fill_(math.nan)
    plan = planned(bundle, name)
    assert not plan.feasible
    assert plan.reason == reason
    assert math.isnan(plan.safe_probability) == (broken != "value")


@pytest.mark.parametrize("name", PLANNERS)
def test_constraints_with_bounds_of_their_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    second = dataclasses.replace(heads.HEADS["constraint"], name="edge", delta=0.5)
    monkeypatch.setitem(heads.HEADS, "edge", second)
    names = ("value", "safe", "constraint", "goal", "edge")
    bundle = random_bundle(config=dataclasses.replace(random_bundle().config, heads=names))
    with torch.no_grad():
        for head, number in (("safe", 0.9), ("constraint", 0.1), ("edge", 0.6)):
            network = bundle.models.network(head)
            network.weights[-1].zero_()
            network.biases[-1].fill_(float(torch.logit(torch.tensor(number))))
    reason = planned(bundle, name).reason
    assert "(6) fails: P(violation) at least 0.6, 0.1 above its own bound;" in reason


@pytest.mark.parametrize("name", PLANNERS)
def test_a_plan_with_an_action_asks_nothing_more(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def never(*_: Any, **__: Any) -> Shortfall:
        raise AssertionError("a feasible plan was explained")

    monkeypatch.setattr(cem, "shortfall", never)
    plan = planned(saying(safe=0.9, constraint=0.05), name)
    assert plan.feasible and plan.reason == ""


def test_the_explanation_draws_no_random_number() -> None:
    """What is planned after a hold must not depend on the words about the hold."""
    after = []
    for explained in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not explained:
                patch.setattr(cem, "shortfall", lambda *_, **__: Shortfall(0.0, 1.0, "words"))
            made = make_planner(saying(safe=0.1, constraint=0.05), CONFIG)
            assert not made.plan(np.zeros(32), np.ones(32)).feasible
            after.append(made.generator.get_state())  # type: ignore[attr-defined]
    assert torch.equal(*after)


def judgement(shares: list[float], excess: list[float], bound: float = 0.3) -> Judgement:
    """100 particles, of which `shares` are in the safe set; P(6) is 0.02 below its upper bound."""
    count = len(shares)
    place = torch.arange(100)[:, None]
    return Judgement(
        actions=torch.zeros(count, 3, 2),
        imagined=torch.zeros(count, 3, 32),
        levels=(place < 100 * torch.tensor(shares)).float(),
        constraint_probability=torch.tensor(excess) + bound - 0.02,
        excess=torch.tensor(excess),
        score=lambda index: torch.zeros(len(index)),
    )


def explained(*judged: Judgement, delta_safe: float = 0.2) -> Shortfall:
    return shortfall(judged, delta_safe, CONFIG, [0.3], sure=True)


def test_the_best_of_all_judged_is_told() -> None:
    found = explained(judgement([0.1, 0.31], [-0.1, -0.2]), judgement([0.2], [-0.25]))
    assert (found.safe_probability, round(found.constraint_probability, 4)) == (
        pytest.approx(0.31),
        0.08,
    )
    assert found.reason.startswith(
        "no plan, (5) fails: P(in the safe set) at most 0.31 of 0.8 asked at delta_S 0.2; "
        "P(violation) 0.08 of 0.3 allowed"
    )


def test_of_those_in_the_safe_set_the_one_that_violates_least_is_told() -> None:
    """One candidate is safe and violates, another violates nothing and is outside."""
    found = explained(judgement([1.0, 0.95, 0.1], [0.4, 0.2, -0.3]))
    assert "(6) fails: P(violation) at least 0.48 of 0.3 allowed" in found.reason
    assert "P(in the safe set) 0.95 of 0.8 asked" in found.reason


def test_of_those_as_far_from_the_safe_set_the_one_that_violates_least_is_told() -> None:
    found = explained(judgement([0.0, 0.0, 0.0], [0.4, -0.2, 0.1]))
    assert "(5) fails" in found.reason and "P(violation) 0.08" in found.reason


def test_what_only_the_confidence_refuses_is_said() -> None:
    five = explained(judgement([0.82], [-0.1])).reason
    assert "(5) fails: P(in the safe set) at most 0.82 (0.749 with confidence 0.95) of 0.8" in five
    six = explained(judgement([1.0], [0.01])).reason
    assert "(6) fails: P(violation) at least 0.29 (0.31 with confidence 0.95) of 0.3" in six


def test_a_candidate_that_is_not_finite_does_not_speak_for_the_others() -> None:
    made = judgement([0.5, 1.0], [-0.1, -0.1])
    levels = made.levels.clone()
    levels[:, 1] = -math.inf
    found = explained(dataclasses.replace(made, levels=levels))
    assert "at most 0.5 of 0.8 asked" in found.reason
