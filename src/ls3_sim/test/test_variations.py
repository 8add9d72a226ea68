"""What each variation of a domain does to its episodes, and that without any nothing changes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from env_checks import run

from dvrk_cable_env.camera.segmentation import SegmentationConfig, segment_cable
from ls3_common import parameters
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError
from ls3_sim.cable_env import CableEnv
from ls3_sim.cable_model import LINKS
from ls3_sim.cable_scene import CableLayout, CableScene
from ls3_sim.navigation_env import NavigationEnv
from ls3_sim.navigation_scene import NavigationScene
from ls3_sim.pushing_env import PushingEnv
from ls3_sim.pushing_scene import PushingScene
from ls3_sim.reacher_env import ReacherEnv
from ls3_sim.reacher_scene import ReacherScene
from ls3_sim.registration import check_variations, make_environment

pytestmark = pytest.mark.background

ENVIRONMENTS = {
    "cable_routing": CableEnv,
    "navigation": NavigationEnv,
    "reacher": ReacherEnv,
    "pushing": PushingEnv,
}
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
    assert values.keys() | (UNSEEN & off.keys()) == off.keys(), "a variation without a test"
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


def test_a_jitter_of_old_draws_what_it_drew():
    env, scene = CableEnv(start_jitter=0.05, domain_randomisation=True), CableScene()
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        scene.randomise(rng)
        scene.reset(bend=rng.normal(0, 0.05, LINKS))
        expected = segment_cable(scene.render(), SegmentationConfig(mask_size=64))
        assert np.array_equal(observation[..., 0], expected)
    env.close()
    scene.close()


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


@pytest.mark.parametrize("place", [CableLayout().obstacle, (0.0, 0.0)])  # the latter is special
def test_the_cables_constraint_follows_the_moved_obstacle(place):
    env = CableEnv(layout=CableLayout(obstacle=place), obstacle_offset=0.02)
    nominal = np.array(place)
    offsets, gaps = [], []
    for seed in range(12):
        env.reset(seed=seed)
        obstacle = np.array(env.scene.layout.obstacle)
        offsets.append(obstacle - nominal)
        info = {"constraint": False}
        while not info["constraint"]:  # straight at where it is
            gap = obstacle - env.scene.tool
            *_, info = env.step(0.01 * gap / np.linalg.norm(gap))
        gaps.append(np.linalg.norm(env.scene.tool - obstacle) - env.scene.layout.obstacle_radius)
    assert np.abs(offsets).max() <= 0.02 and (np.ptp(offsets, axis=0) > 0.02).all()
    assert np.ptp(gaps) < 0.003, "contact is where the obstacle is, not where it was"
    env.close()


def test_the_cables_success_and_picture_follow_the_moved_goal():
    env = CableEnv(render_mode="rgb_array", goal_offset=0.02)
    for seed in range(4):
        env.reset(seed=seed)
        scene = env.scene
        goal = np.array(scene.layout.goal)
        scene.reset(start=goal)  # the held end is in the goal
        assert scene.at_goal
        inside = scene.layout.goal_radius + 0.001
        scene.reset(start=goal + np.array([0.0, -inside]))
        assert not scene.at_goal
        scene.reset()
        red, green, blue = np.moveaxis(env.render().astype(int), 2, 0)
        rows, columns = np.nonzero((green > red + 40) & (green > blue + 40))
        half = scene.half_view
        place = [(columns.mean() + 0.5) / 64 - 1, 1 - (rows.mean() + 0.5) / 64]
        assert np.array(place) * half == pytest.approx(goal, abs=0.002)
    env.close()


def test_navigations_obstacle_moves_in_picture_and_constraint():
    env = NavigationEnv(obstacle_offset=10)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        low, high = map(np.array, (env.scene.layout.obstacle_low, env.scene.layout.obstacle_high))
        assert high - low == pytest.approx([25, 40])
        red = observation[..., 0].astype(float)
        rows, columns = np.indices(red.shape) + 0.5
        middle = np.array([(columns * red).sum(), (rows * red).sum()]) / red.sum()
        assert middle * [180 / 64, 150 / 64] == pytest.approx((low + high) / 2, abs=0.1)
        for corner, inward in ((low, 0.5), (high, -0.5)):
            env.scene.reset(corner + inward)
            assert env.scene.violated
            env.scene.reset(corner - inward)
            assert not env.scene.violated
    env.close()


def test_the_reachers_obstacle_moves_in_picture_and_constraint():
    env = ReacherEnv(obstacle_offset=0.02)
    nominal = np.array(ReacherScene().layout.obstacle)
    places = []
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        place = np.array(env.scene.layout.obstacle)
        red, green, blue = np.moveaxis(observation[..., -3:].astype(int), 2, 0)
        rows, columns = np.nonzero((red > green + 60) & (red > blue + 60))
        half = 0.75 * np.tan(np.radians(22.5))  # of the camera's view
        middle = np.array([(columns.mean() + 0.5) / 32 - 1, 1 - (rows.mean() + 0.5) / 32])
        places.append((middle * half - nominal, place - nominal))
    drawn, moved = (np.array(side) for side in zip(*places, strict=True))
    # an arm that lies on the obstacle hides a part of it, so that its middle is seen a bit off
    assert np.abs(drawn - moved - (drawn - moved).mean(axis=0)).max() < 0.005
    assert np.ptp(moved, axis=0).min() > 0.01
    env.close()


def test_starts_are_near_the_nominal_one_and_free():
    reacher = ReacherEnv(start_jitter=0.2)
    angles = []
    for seed in range(40):
        _, info = reacher.reset(seed=seed)
        assert not info["constraint"] and not info["velocities"].any()
        angles.append(info["angles"])
    assert np.std(angles, axis=0)[0] == pytest.approx(0.2, rel=0.4)
    assert np.max(angles, axis=0)[1] <= np.radians(160) + 1e-9
    reacher.close()
    pushing = PushingEnv(start_jitter=0.02)
    layout = pushing.scene.layout
    for seed in range(20):
        _, info = pushing.reset(seed=seed)
        blocks = info["blocks"]
        assert not info["success"] and not info["constraint"]
        assert (np.diff(blocks[:, 0]) > 0.08).all()
        assert (blocks[:, 1] > layout.goal_high[1]).all()
        before = pushing.scene.blocks
        pushing.step(np.zeros(2, np.float32))
        assert np.abs(pushing.scene.blocks - before).max() < 1e-3, "something was inside another"
    pushing.close()


def test_friction_changes_how_far_a_cable_trails_and_a_block_slides():
    env = PushingEnv(friction=0.9)
    frictions = set()
    for seed in range(5):
        env.reset(seed=seed)
        frictions.add(float(env.scene.model.geom_friction[-1, 0]))
    assert len(frictions) == 5 and all(0.05 < f < 1.15 for f in frictions)
    env.close()


@pytest.mark.parametrize(
    ("domain", "values", "least"),
    [
        (
            "cable_routing",
            {
                "start_jitter": 0.05,
                "start_offset": 0.01,
                "obstacle_offset": 0.005,
                "goal_offset": 0.005,
            },
            5,
        ),
        ("navigation", {"start_jitter": 2, "obstacle_offset": 8}, 5),
        ("reacher", {"start_jitter": 0.1, "obstacle_offset": 0.01}, 5),
        ("pushing", {"start_jitter": 0.01}, 5),
    ],
)
def test_a_demonstration_succeeds_from_wherever_the_episode_starts(domain, values, least):
    env = ENVIRONMENTS[domain](**values)
    steps = load_spec(domain).horizon
    ends = []
    for seed in range(6):
        act = env.behaviour("demonstration", np.random.default_rng(seed))  # before the reset
        _, info = env.reset(seed=seed)
        infos = [info]
        while len(infos) <= steps and not infos[-1]["success"]:
            infos.append(env.step(act(infos[-1]))[4])
        ends.append(infos[-1]["success"] and not any(i["constraint"] for i in infos))
    env.close()
    assert sum(ends) >= least


def test_a_demonstrator_asked_for_before_the_reset_knows_the_moved_goal():
    env = CableEnv(goal_offset=0.02, obstacle_offset=0.02)
    env.reset(seed=0)
    ends = []
    for seed in (1, 2):
        act = env.behaviour("demonstration", np.random.default_rng(0))
        _, info = env.reset(seed=seed)
        for _ in range(45):
            info = env.step(act(info))[4]
        ends.append((info["tool_xy"], np.array(env.scene.layout.goal)))
    for tool, goal in ends:
        assert np.linalg.norm(tool - goal) < 0.012
    assert np.linalg.norm(ends[0][1] - ends[1][1]) > 0.005
    env.close()


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
