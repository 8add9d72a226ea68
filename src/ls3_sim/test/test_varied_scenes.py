"""Varied scenes: what moves, moves in picture, constraint, success and demonstrations alike."""

from __future__ import annotations

import numpy as np
import pytest
from env_checks import ENVIRONMENTS

from ls3_common.domain import load_spec
from ls3_sim.cable_env import CableEnv
from ls3_sim.cable_scene import CableLayout
from ls3_sim.navigation_env import NavigationEnv
from ls3_sim.pushing_env import PushingEnv
from ls3_sim.reacher_env import ReacherEnv
from ls3_sim.reacher_scene import ReacherScene

pytestmark = pytest.mark.background


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


def test_a_block_slides_as_far_as_its_friction_lets_it():
    env = PushingEnv(friction=0.9)
    slides = []
    for seed in range(5):
        env.reset(seed=seed)
        before = env.scene.blocks
        middle = 2 + 6  # its velocities come after the effector's two and a block's six
        env.scene.data.qvel[middle + 1] = 0.5  # m/s, along y
        env.step(np.zeros(2, np.float32))
        slides.append((env.varied["drawn"]["friction"], env.scene.blocks[1, 1] - before[1, 1]))
    env.close()
    frictions, lengths = np.array(sorted(slides)).T
    assert np.ptp(frictions) > 0.5 and (np.diff(lengths) < 0).all()
    assert frictions * lengths == pytest.approx(0.5**2 / (2 * 0.6 * 9.81), rel=0.15)


def test_friction_changes_how_a_cable_trails_behind_the_tool():
    env = CableEnv(friction=0.9)
    trails = []
    for seed in range(5):
        env.reset(seed=seed)
        for _ in range(3):
            env.step(np.array([0.015, 0.0], np.float32))
        held, *_, tail = env.scene.cable()
        trails.append((env.varied["drawn"]["friction"], held[0] - tail[0]))
    env.close()
    frictions, behind = np.array(sorted(trails)).T
    assert np.ptp(frictions) > 0.5 and (np.diff(behind) < 0).all()


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
