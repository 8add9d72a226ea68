"""Navigation: the paper's section 7.3.1 and the geometry."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from env_checks import check_frozen, run

from ls3_common.domain import load_spec
from ls3_sim.navigation_env import NavigationEnv
from ls3_sim.navigation_scene import NavigationLayout

DOMAIN = load_spec("navigation")
T = DOMAIN.horizon
STILL = np.zeros(2, np.float32)


@pytest.fixture
def env():
    return NavigationEnv()


@pytest.fixture
def noiseless():
    return NavigationEnv(layout=NavigationLayout(noise=0.0))


def test_spaces_info_and_start(env):
    observation, info = env.reset(seed=0)
    assert observation.shape == (64, 64, 3)
    assert observation.dtype == np.uint8
    assert env.action_space.low == pytest.approx(-3) and env.action_space.high == pytest.approx(3)
    assert set(info) == {"success", "constraint", "position"}
    assert info["position"].tolist() == [30.0, 75.0]
    assert info["success"] is False and info["constraint"] is False


def test_single_integrator_with_the_papers_noise(env):
    env.reset(seed=0)
    steps = []
    for _ in range(2000):
        env.scene.reset()
        *_, info = env.step(np.array([2.0, -1.0], np.float32))
        steps.append(info["position"] - (30.0, 75.0))
    assert np.mean(steps, axis=0) == pytest.approx([2.0, -1.0], abs=0.01)
    assert np.cov(np.transpose(steps)) == pytest.approx(0.125**2 * np.eye(2), abs=0.002)


def test_actions_are_clipped_and_the_point_stays_in_the_window(noiseless):
    noiseless.reset(seed=0)
    *_, info = noiseless.step(np.array([100.0, -0.5], np.float32))
    assert info["position"].tolist() == [33.0, 74.5]
    for corner, action in (((180.0, 150.0), (3, 3)), ((0.0, 0.0), (-3, -3))):
        noiseless.scene.reset(np.array(corner))
        *_, info = noiseless.step(np.array(action, np.float32))
        assert info["position"].tolist() == list(corner)


@pytest.mark.parametrize(
    ("position", "violated"),
    [
        ((87.5, 75.0), True),
        ((75.1, 55.1), True),
        ((99.9, 94.9), True),
        ((75.0, 75.0), False),  # the edge is outside
        ((100.1, 75.0), False),
        ((87.5, 54.9), False),
        ((87.5, 95.1), False),
    ],
)
def test_the_constraint_is_the_obstacles_rectangle(noiseless, position, violated):
    noiseless.scene.reset(np.array(position))
    _, reward, *_, info = noiseless.step(STILL)
    assert info["constraint"] is violated
    assert reward == -1.0


@pytest.mark.parametrize(
    ("position", "reached"),
    [
        ((150.0, 75.0), True),
        ((152.9, 75.0), True),
        ((148.0, 73.0), True),
        ((153.1, 75.0), False),
        ((152.5, 77.5), False),  # in the square around the disc only
    ],
)
def test_reward_is_zero_in_the_goal_disc_only(noiseless, position, reached):
    noiseless.scene.reset(np.array(position))
    _, reward, *_, info = noiseless.step(STILL)
    assert info["success"] is reached
    assert reward == (0.0 if reached else -1.0)


def test_a_violation_freezes_the_point_until_the_reset(env):
    start, _ = env.reset(seed=0)
    env.scene.reset(np.array([74.0, 75.0]))
    observation, *_, info = env.step(np.array([3.0, 0.0], np.float32))
    check_frozen(env, start, observation, info, [-3.0, 3.0])


def test_demonstrations_succeed_by_the_way_of_the_paper_with_the_known_return(env):
    returns = []
    for seed in range(30):
        _, rewards, infos = run(env, "demonstration", seed, T)
        returns.append(sum(rewards))
        assert any(info["success"] for info in infos)
        assert not any(info["constraint"] for info in infos)
        places = np.array([info["position"] for info in infos])
        assert places[20] == pytest.approx([30, 20], abs=12)
        above = (places[:, 0] > 75) & (places[:, 0] < 100)
        assert above.sum() > 5 and places[above, 1].max() < 30
    # the authors' demonstrator: -83.6 with a reward that lags one step behind ours
    assert np.mean(returns) == pytest.approx(-82.6, abs=1.5)
    assert np.std(returns) < 4


def test_constraint_behaviour_starts_anywhere_and_violates_from_all_sides(env):
    starts, sides = [], []
    for seed in range(20):
        _, _, infos = run(env, "constraint", seed, T)
        starts.append(infos[0]["position"])
        step = next(step for step, info in enumerate(infos) if info["constraint"])
        assert infos[step - 1]["constraint"] is False
        sides.append(infos[step - 1]["position"] - (87.5, 75.0))
    assert np.ptp(starts, axis=0) == pytest.approx([180, 150], rel=0.25)
    assert len({(x > 0, y > 0) for x, y in sides}) == 4


def test_random_behaviour_fills_the_action_box(env):
    act = env.behaviour("random", np.random.default_rng(0))
    actions = np.array([act({}) for _ in range(500)])
    assert np.abs(actions).max() <= 3
    assert np.abs(actions.mean(axis=0)).max() < 0.3 and actions.std(axis=0).min() > 1.6


def test_start_jitter_and_random_start():
    env = NavigationEnv(start_jitter=1.0)
    starts = [env.reset(seed=seed)[1]["position"] for seed in range(50)]
    assert np.mean(starts, axis=0) == pytest.approx([30, 75], abs=0.5)
    assert np.std(starts, axis=0) == pytest.approx([1, 1], abs=0.3)
    anywhere = [env.reset(seed=s, options={"random_start": True})[1] for s in range(200)]
    assert not any(info["constraint"] for info in anywhere)
    assert np.ptp([info["position"] for info in anywhere], axis=0).min() > 130


def centroid(mask):
    """Centre (x, y) of an image's grey levels, in units of the window."""
    rows, columns = np.indices(mask.shape) + 0.5
    weights = mask / mask.sum()
    scale = np.array([180, 150]) / mask.shape[::-1]
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) * scale


def test_the_picture_shows_robot_and_obstacle_where_they_are(env):
    for position in ((30.0, 75.0), (120.3, 20.7), (150.0, 75.0)):
        env.scene.reset(np.array(position))
        red, green, blue = np.moveaxis(env.scene.draw(64, 64, show_goal=False).astype(float), 2, 0)
        assert centroid(blue) == pytest.approx(position, abs=0.1)
        assert blue.sum() / 255 == pytest.approx(np.pi * 10**2 / (180 * 150 / 64**2), rel=0.03)
        assert centroid(red) == pytest.approx([87.5, 75.0], abs=0.05)
        assert red.sum() / 255 == pytest.approx(25 * 40 / (180 * 150 / 64**2), rel=0.01)
        assert not green.any()


def test_the_picture_changes_with_a_tenth_of_a_pixel(env):
    pictures = []
    for x in (50.0, 50.28):
        env.scene.reset(np.array([x, 75.0]))
        pictures.append(env.scene.draw(64, 64, show_goal=False))
    assert not np.array_equal(*pictures)


def test_rendering_adds_the_goal_and_the_robot_covers_it():
    env = gymnasium.make(DOMAIN.environment, render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    shown = env.render()
    assert shown.shape == (300, 360, 3) and shown.dtype == np.uint8
    green = shown[..., 1].astype(float)
    assert centroid(green) == pytest.approx([150, 75], abs=0.1)
    env.scene.reset(np.array([150.0, 75.0]))
    assert not env.render()[..., 1].any()


def test_needs_no_mujoco():
    script = (
        "import sys; sys.modules['mujoco'] = None\n"
        "import gymnasium, ls3_sim\n"
        f"env = gymnasium.make({DOMAIN.environment!r}); env.reset(seed=0)\n"
        "print(env.step([3, 3])[1])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert shown.stdout.strip() == "-1.0", shown.stderr
