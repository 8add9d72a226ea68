"""Gymnasium's contract and what else all environments keep."""

from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest
from env_checks import run
from gymnasium.utils.env_checker import check_env

from ls3_common.errors import ConfigError, UserError
from ls3_sim.behaviours import BEHAVIOURS
from ls3_sim.registration import make_environment

T = {  # section 5.3
    "LS3/CableRouting-v0": 50,
    "LS3/Navigation-v0": 100,
    "LS3/Reacher-v0": 100,
    "LS3/SequentialPushing-v0": 150,
}
PICTURE = {
    "LS3/CableRouting-v0": (128, 128, 3),
    "LS3/Navigation-v0": (300, 360, 3),
    "LS3/Reacher-v0": (128, 128, 3),
    "LS3/SequentialPushing-v0": (384, 384, 3),
}
pytestmark = [pytest.mark.background, pytest.mark.parametrize("name", T)]


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


def test_a_step_takes_the_control_period(name):
    """The domain's file has it for the controller, and the scene has it in its physics."""
    env = gymnasium.make(name).unwrapped
    env.reset(seed=0)
    if not env.domain.period or not hasattr(env.scene, "data"):
        assert name in ("LS3/CableRouting-v0", "LS3/Navigation-v0")  # an arm's, or no time at all
        return
    before = env.scene.data.time
    env.step(np.zeros(env.action_space.shape, np.float32))
    assert env.scene.data.time - before == pytest.approx(env.domain.period)
    env.close()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"action_low": (-1.0,) * 3, "action_high": (1.0,) * 3, "joints": ()}, "has 2 actions"),
        ({"channels": 2}, "the domain 2 and 2"),
    ],
)
def test_what_the_scene_has_not_is_refused(name, changes, text):
    domain = dataclasses.replace(gymnasium.make(name).unwrapped.domain, **changes)
    with pytest.raises(ConfigError, match=text):
        make_environment(domain)


def test_another_size_step_and_stack_are_the_domains(name):
    domain = gymnasium.make(name).unwrapped.domain
    size = len(domain.action_low)
    domain = dataclasses.replace(
        domain, image_size=32, frames=2, action_high=(domain.action_high[0] / 2,) * size, horizon=3
    )
    env = make_environment(domain)
    observation, _ = env.reset(seed=0)
    assert observation.shape == (32, 32, 2 * domain.channels)
    assert np.array_equal(*np.split(observation, 2, axis=-1))
    limits = env.action_space.high
    assert limits == pytest.approx(domain.action_high)
    one = env.step(limits)[0]
    env.reset(seed=0)
    assert np.array_equal(env.step(10 * limits)[0], one)  # bounded to what the domain says
    assert [env.step(limits)[3] for _ in range(2)] == [False, True]
    env.close()


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
