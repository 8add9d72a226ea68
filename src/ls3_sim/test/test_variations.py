"""What each variation of a domain does to its episodes, and that without any nothing changes."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest
from env_checks import ENVIRONMENTS, run

from dvrk_cable_env.camera.segmentation import SegmentationConfig, segment_cable
from ls3_common import parameters
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError
from ls3_sim.cable_env import CableEnv
from ls3_sim.cable_scene import CableScene
from ls3_sim.navigation_scene import NavigationScene
from ls3_sim.pushing_scene import PushingScene
from ls3_sim.reacher_env import ReacherEnv
from ls3_sim.reacher_scene import ReacherScene
from ls3_sim.registration import check_variations, make_environment

pytestmark = pytest.mark.background

# a value at which every episode visibly differs
EVERYWHERE = {
    "camera_shift": 6,
    "camera_rotation": 20,
    "camera_scale": 0.2,
    "noise": 20,
    "light": 0.6,
    "colour": 0.6,
    "occlusion": 40,
    "frame_loss": 0.6,
    "delay": 1,
    "gain": 0.5,
}
OWN = {
    "cable_routing": {
        "start_jitter": 0.1,
        "start_offset": 0.02,
        "friction": 0.8,
        "stiffness": 0.9,
        "domain_randomisation": True,
    },
    "navigation": {"start_jitter": 5, "obstacle_offset": 10},
    "reacher": {"start_jitter": 0.2, "obstacle_offset": 0.02},
    "pushing": {"start_jitter": 0.01, "friction": 0.8},
}
# the mask is of one colour, which light and noise hardly change, and does not show these
UNSEEN = {"noise", "light", "colour", "obstacle_offset", "goal_offset"}
# what the demonstrator alone does
DEMONSTRATED = {"missed_block"}
STEPS = 12


@pytest.fixture(params=ENVIRONMENTS)
def name(request):
    return request.param


def seen(env, seed, steps=STEPS):
    """The observations of an episode with the same actions whatever is seen, as one array."""
    observations = [env.reset(seed=seed)[0]]
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        action = rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
        observations.append(env.step(action)[0])
    return np.stack(observations)


def test_every_variation_alone_makes_another_episode_of_the_same_seed(name):
    plain = ENVIRONMENTS[name]()
    expected = [seen(plain, seed) for seed in range(2)]
    plain.close()
    values = {**EVERYWHERE, **OWN[name]}
    off = parameters.defaults(ENVIRONMENTS[name].variations_class)
    tested = values.keys() | ((UNSEEN | DEMONSTRATED) & off.keys())
    assert tested == off.keys(), "a variation without a test"
    for key, value in values.items():
        if name == "cable_routing" and key in UNSEEN:
            continue
        env = ENVIRONMENTS[name](**{key: value})
        again = [seen(env, seed) for seed in (0, 1, 0)]
        env.close()
        assert not all(map(np.array_equal, again, expected)), f"{key} does nothing"
        assert np.array_equal(again[0], again[2]), f"{key}: the same seed, another episode"


def test_without_variations_frames_are_those_of_the_bare_scene(name):
    """The scene alone, by seeds of old: nothing between it and the observation."""
    env = ENVIRONMENTS[name]()
    for seed in range(2):
        assert np.array_equal(seen(env, seed, 6)[..., -env.channels :], bare(name, seed, 6))
    env.close()


def bare(name, seed, steps):
    spec, rng, actions = load_spec(name), np.random.default_rng(seed), np.random.default_rng(seed)
    scenes = {
        "cable_routing": CableScene,
        "navigation": NavigationScene,
        "reacher": ReacherScene,
        "pushing": PushingScene,
    }
    scene = scenes[name]()
    if name == "navigation":
        scene.reset(np.array(scene.layout.start) + rng.normal(0, 0.0, 2))
    frames = []
    for step in range(steps + 1):
        if step:
            low, high = (np.float32(bound) for bound in (spec.action_low, spec.action_high))
            action = actions.uniform(low, high).astype(np.float32).astype(float)
            if name == "cable_routing":
                scene.move(scene.clip(scene.setpoint + action))
            elif name == "navigation":
                scene.move(action, rng)
            else:
                scene.move(action * (0.5 if name == "reacher" else 1))
        if name == "cable_routing":
            frames.append(
                segment_cable(scene.render(), SegmentationConfig(mask_size=64))[..., None]
            )
        elif name == "navigation":
            frames.append(scene.draw(64, 64, show_goal=False))
        else:
            frames.append(scene.observe(64))
    scene.close()
    return np.stack(frames)


def test_domain_randomisation_draws_what_it_drew_before_there_were_others():
    env, scene = CableEnv(domain_randomisation=True), CableScene()
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        scene.randomise(np.random.default_rng(seed))
        scene.reset()
        expected = segment_cable(scene.render(), SegmentationConfig(mask_size=64))
        assert np.array_equal(observation[..., 0], expected)
    env.close()
    scene.close()


def test_what_a_variation_draws_does_not_depend_on_what_else_is_on(name):
    """All on at once draw what each draws alone."""
    values = {**EVERYWHERE, **OWN[name]}
    every = ENVIRONMENTS[name](**values)
    every.reset(seed=5)
    together = every.varied["drawn"]
    each_frame_anew = {"noise", "frame_loss", "delay"}
    assert together.keys() == values.keys() - each_frame_anew
    every.close()
    for key, value in values.items():
        env = ENVIRONMENTS[name](**{key: value})
        env.reset(seed=5)
        assert env.varied["on"] == {key: value}
        if (name, key) != ("cable_routing", "occlusion"):  # lies on the cable, wherever that is
            expected = {} if key in each_frame_anew else {key: together[key]}
            assert env.varied["drawn"] == expected
        env.close()


def test_an_episode_says_what_was_drawn_and_can_be_repeated_from_that(name):
    env = ENVIRONMENTS[name](**{**EVERYWHERE, **OWN[name]})
    frames = seen(env, 7, 3)
    told = json.loads(json.dumps(env.varied))
    env.close()
    assert len(json.dumps(told)) < 4000
    again = make_environment(load_spec(name), told["on"]).unwrapped
    assert np.array_equal(seen(again, 7, 3), frames)
    assert again.varied == told
    again.reset(seed=8)
    assert again.varied["on"] == told["on"] and again.varied["drawn"] != told["drawn"]
    again.close()


def test_an_episode_without_variations_says_so(name):
    env = ENVIRONMENTS[name]()
    env.reset(seed=0)
    assert env.varied == {"on": {}, "drawn": {}}
    env.close()


def test_variations_end_with_the_episode():
    """What one episode has drawn is no part of the next: order does not matter."""
    values = {"friction": 0.5, "stiffness": 0.5, "obstacle_offset": 0.02, "start_offset": 0.02}
    env, other = CableEnv(**values), CableEnv(**values)
    for seed in range(3):
        env.reset(seed=seed)
    env.reset(seed=7)
    other.reset(seed=7)
    assert np.array_equal(env.scene.model.jnt_stiffness, other.scene.model.jnt_stiffness)
    assert np.array_equal(env.scene.model.dof_damping, other.scene.model.dof_damping)
    assert env.scene.model.opt.viscosity == other.scene.model.opt.viscosity != 0.2
    assert env.scene.layout == other.scene.layout != CableScene().layout
    env.close()
    other.close()


def test_gymnasium_and_make_environment_take_and_refuse_the_same(name):
    spec = load_spec(name)
    env = make_environment(spec, {"camera_shift": 3, "noise": 0})
    assert env.unwrapped.variations.camera_shift == 3
    env.close()
    assert gymnasium.make(spec.environment, light=0.1).unwrapped.variations.light == 0.1
    for make in (
        lambda: make_environment(spec, {"brightness": 1}),
        lambda: gymnasium.make(spec.environment, brightness=1),
    ):
        with pytest.raises(ConfigError, match="no variation 'brightness'") as caught:
            make()
        assert "variations: camera_shift" in str(caught.value)
    with pytest.raises(ConfigError, match="outside"):
        make_environment(spec, {"delay": 11})
    assert check_variations(spec, {"camera_shift": 3, "noise": 0}, "here") == {"camera_shift": 3.0}


def test_observations_are_stacked_after_the_camera():
    """A delayed camera delays every frame of the stack, and a shift moves them all."""
    env, late = ReacherEnv(), ReacherEnv(delay=2)
    plain, delayed = seen(env, 0), seen(late, 0)
    assert np.array_equal(delayed[5:], plain[3:-2])
    env.close()
    late.close()


def test_what_is_reported_of_the_state_is_not_delayed():
    env = CableEnv(delay=5)
    *_, infos = run(env, "constraint", 3, 50)
    fresh = CableEnv()
    *_, expected = run(fresh, "constraint", 3, 50)
    assert [i["constraint"] for i in infos] == [i["constraint"] for i in expected]
    assert any(i["constraint"] for i in infos)
    env.close()
    fresh.close()
