"""Tables of reliability: what was predicted of steps beside what happened to them."""

import dataclasses

import numpy as np
import pytest

from ls3.studies.reliability import reliability
from ls3_models.episodes import Episode

pytestmark = pytest.mark.background


def episode(predicted, *, violated=(), success=False, held=()):
    """An episode with one prediction of (6) for each executed step; (5) is 0.95."""
    steps = len(predicted) + len(held)
    actions = np.full((steps, 2), 0.1, np.float32)
    actions[list(held)] = 0
    ends = np.zeros(steps, bool)
    ends[-1] = success
    constraint = np.zeros(steps, bool)
    constraint[list(violated)] = True
    return Episode(
        observations=np.zeros((steps + 1, 4, 4, 1), np.uint8),
        actions=actions,
        rewards=np.zeros(steps, np.float32),
        constraint=constraint,
        success=ends,
        source="online",
        seed=0,
        attributes={
            "constraint_probability": list(predicted),
            "safe_probability": [0.95] * len(predicted),
        },
    )


def test_a_violation_counts_for_the_executed_steps_within_h_before_it():
    table = reliability([episode([0.0, 0.02, 0.02, 0.15], violated=[3])], 2)
    rows = {row["from"]: row for row in table["constraint_probability"]}
    assert [rows[edge]["steps"] for edge in (0.0, 0.01, 0.1)] == [1, 2, 1]
    assert [rows[edge]["happened"] for edge in (0.0, 0.01, 0.1)] == [0, 1, 1]
    assert rows[0.01]["predicted"] == 0.02
    assert rows[0.0]["happened_interval"] == [0.0, pytest.approx(0.975)]


def test_holds_have_no_prediction_and_success_is_that_of_the_episode():
    episodes = [episode([0.0, 0.0], success=True, held=[1]), episode([0.0, 0.0, 0.0])]
    (row,) = reliability(episodes, 3)["safe_probability"]
    assert (row["steps"], row["happened"], row["predicted"]) == (5, 2, 0.95)


def test_a_step_without_its_prediction_is_noticed():
    attributes = {"constraint_probability": [0.0], "safe_probability": [0.9]}
    one_lost = dataclasses.replace(episode([0.0, 0.0]), attributes=attributes)
    with pytest.raises(ValueError, match="zip"):
        reliability([one_lost], 1)
