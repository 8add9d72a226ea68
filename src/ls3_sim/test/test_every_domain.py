"""Gymnasium's contract and what else all environments keep."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from env_checks import run
from gymnasium.utils.env_checker import check_env

from ls3_common.errors import UserError
from ls3_sim.behaviours import BEHAVIOURS
from ls3_sim.registration import CABLE_ROUTING, HORIZON, NAVIGATION, REACHER, SEQUENTIAL_PUSHING

pytestmark = [pytest.mark.background, pytest.mark.parametrize("name", HORIZON, ids=str)]

T = {CABLE_ROUTING: 50, NAVIGATION: 100, REACHER: 100, SEQUENTIAL_PUSHING: 150}
PICTURE = {
    CABLE_ROUTING: (128, 128, 3),
    NAVIGATION: (300, 360, 3),
    REACHER: (128, 128, 3),
    SEQUENTIAL_PUSHING: (384, 384, 3),
}


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space.*")
@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_say(name):
    env = gymnasium.make(name, render_mode="rgb_array")
    check_env(env.unwrapped, skip_render_check=True)  # the other mode needs a display, see below
    assert env.spec.max_episode_steps == T[name]
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == PICTURE[name] and picture.dtype == np.uint8
    still = np.zeros(2, np.float32)
    ends = [env.step(still)[2:4] for _ in range(T[name])]
    assert ends == [(False, False)] * (T[name] - 1) + [(False, True)]
    env.close()
    env.close()


def test_the_same_seed_gives_the_same_episode_whatever_happened_before(name):
    env = gymnasium.make(name).unwrapped
    before, _, first = run(env, "constraint", 3, steps=30)
    run(env, "random", 4, steps=20)
    after, _, second = run(env, "constraint", 3, steps=30)
    other, *_ = run(env, "constraint", 5, steps=30)
    env.close()
    assert np.array_equal(before, after)
    assert all(np.array_equal(first[-1][key], second[-1][key]) for key in first[-1])
    assert not np.array_equal(before, other)


def test_behaviours_have_names(name):
    env = gymnasium.make(name).unwrapped
    assert env.behaviours == BEHAVIOURS == ("demonstration", "random", "constraint")
    with pytest.raises(ValueError, match="no behaviour 'demo'; there are: demonstration"):
        env.behaviour("demo", np.random.default_rng(0))
    env.close()


def test_a_window_needs_a_display(name, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="needs a display"):
        gymnasium.make(name, render_mode="human")
