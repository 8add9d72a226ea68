"""Online episodes that end at the goal: what D is given beyond their end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small import SPEC, config, episode, episodes

from ls3_models.agent import steps_of
from ls3_models.episodes import Episode
from ls3_models.ls3_learning import Ls3Learning, stayed_at_goal
from ls3_models.offline_data import OfflineData

pytestmark = pytest.mark.background


def ended(*, success: bool, violation: bool = False) -> Episode:
    made = episode(3)
    nothing = np.zeros(len(made), bool)
    last = nothing.copy()
    last[-1] = True
    return dataclasses.replace(
        made,
        rewards=np.where(last & success, 0, -1).astype(np.float32),
        success=last if success else nothing,
        constraint=last if violation else nothing,
    )


def test_the_episode_goes_on_at_rest() -> None:
    before = ended(success=True)
    after = stayed_at_goal(before, 7)
    assert len(after) == len(before) + 7
    assert (after.observations[len(before) :] == before.observations[-1]).all()
    assert not after.actions[len(before) :].any() and not after.rewards[len(before) :].any()
    assert after.arrivals[len(before) - 1 :].all() and after.rewards.sum() == before.rewards.sum()
    np.testing.assert_array_equal(after.actions[: len(before)], before.actions)


@pytest.mark.parametrize(("success", "violation"), [(False, False), (True, True), (False, True)])
def test_what_ended_elsewhere_is_left_as_it_is(success: bool, violation: bool) -> None:
    one = ended(success=success, violation=violation)
    assert stayed_at_goal(one, 7) is one


def test_d_grows_by_the_steps_at_the_goal_as_safe_ones_in_the_goal() -> None:
    data = OfflineData.split(SPEC, episodes(), "of small.py")
    grown = []
    for steps in (0, 7):
        agent = Ls3Learning(config(steps_at_goal=steps), data, 0)
        offline = len(agent.replay)
        for step in steps_of(ended(success=True)):
            agent.observe(step)
        grown.append(len(agent.replay) - offline)
        if steps:
            assert agent.replay._get("label.safe")[-steps:].all()
            assert agent.replay._get("label.goal")[-steps:].all()
            assert agent.replay._get("arrives")[-steps:].all()
    assert grown[1] == grown[0] + 7
