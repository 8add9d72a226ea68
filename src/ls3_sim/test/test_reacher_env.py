"""The reacher: the paper's section 7.3.2."""

from __future__ import annotations

import numpy as np
import pytest
from env_checks import check_frozen, run

from ls3_common.domain import load_spec
from ls3_sim.reacher_env import ReacherEnv
from ls3_sim.reacher_scene import ReacherLayout, ReacherScene

pytestmark = pytest.mark.background

DOMAIN = load_spec("reacher")
T = DOMAIN.horizon
STILL = np.zeros(2, np.float32)
FORWARD = np.array([1.0, -0.5], np.float32)


@pytest.fixture(scope="module")
def env():
    """One for all tests: making its renderer is what takes long."""
    made = ReacherEnv()
    yield made
    made.close()


@pytest.fixture
def blind(monkeypatch):
    """An environment whose pictures are black, for tests that run many episodes."""
    monkeypatch.setattr(
        ReacherScene, "observe", lambda _scene, _size, _change: np.zeros((64, 64, 3), np.uint8)
    )
    return ReacherEnv()


def test_spaces_and_info(env):
    observation, info = env.reset(seed=0)
    assert observation.shape == (64, 64, 9)
    assert observation.dtype == np.uint8
    assert env.action_space.low == pytest.approx(-1) and env.action_space.high == pytest.approx(1)
    assert set(info) == {"success", "constraint", "position", "angles", "velocities"}
    assert info["success"] is False and info["constraint"] is False
    assert info["position"] == pytest.approx([-0.0555, 0.0079], abs=1e-4)
    assert info["angles"] == pytest.approx(np.pi * np.array([0.53, 0.85]))
    assert info["velocities"].tolist() == [0.0, 0.0]


def test_the_observation_is_the_last_three_frames_the_oldest_first(env):
    env.reset(seed=0)
    env.step(FORWARD)
    observation, _ = env.reset(seed=0)
    frames = [env.scene.observe(64)]
    assert np.array_equal(observation, np.concatenate(frames * 3, axis=-1))
    for _ in range(4):
        observation = env.step(FORWARD)[0]
        frames.append(env.scene.observe(64))
        last = [frames[max(0, len(frames) - back)] for back in (3, 2, 1)]
        assert np.array_equal(observation, np.concatenate(last, axis=-1))
    assert not np.array_equal(frames[-1], frames[-2])


def test_an_action_is_half_the_motors_range_and_bounded(blind):
    reference = ReacherScene()
    reference.move(np.array([0.5, -0.5]))
    for action in ([1.0, -1.0], [100.0, -7.0]):
        blind.reset(seed=0)
        *_, info = blind.step(np.array(action, np.float32))
        assert info["angles"].tolist() == reference.angles.tolist()


def test_reward_is_zero_in_the_goal_set_and_nothing_ends_there(blind):
    blind.reset(seed=0)
    for shoulder, expected in ((0.75 * np.pi, 0.0), (0.9 * np.pi, -1.0), (0.76 * np.pi, 0.0)):
        blind.scene.reset(np.array([shoulder, 0.0]))
        _, reward, terminated, truncated, info = blind.step(STILL)
        assert (reward, terminated, truncated) == (expected, False, False)
        assert info["success"] is (expected == 0.0)


def test_a_violation_freezes_the_arm_until_the_reset(env):
    start, info = env.reset(seed=0)
    towards = np.array([-0.2, -1.0], np.float32)  # unfolds the arm into the obstacle
    while not info["constraint"]:
        observation, *_, info = env.step(towards)
    assert info["velocities"].any()  # it came with some speed
    check_frozen(env, start, observation, info, -towards)
    *_, info = env.step(FORWARD)
    assert info["velocities"].any()


def test_of_a_frozen_arm_all_frames_become_equal(env):
    env.reset(seed=0)
    while not env.step(np.array([-0.2, -1.0], np.float32))[4]["constraint"]:
        pass
    shown = [env.step(FORWARD)[0] for _ in range(2)]
    assert np.array_equal(shown[-1], np.tile(shown[-1][..., :3], 3))


def test_demonstrations_go_round_the_obstacle_with_the_known_return(blind):
    returns, successes = [], 0
    for seed in range(60):
        _, rewards, infos = run(blind, "demonstration", seed, T)
        assert not any(info["constraint"] for info in infos)
        successes += any(info["success"] for info in infos)
        returns.append(sum(rewards))
    # 400 episodes: -83.7 +- 7.0, 95 % reach the goal; `ls3 collect` draws the others again
    assert np.mean(returns) == pytest.approx(-83.7, abs=3)
    assert successes >= 50


def test_constraint_behaviour_starts_anywhere_and_mostly_violates(blind):
    starts, ends = [], []
    for seed in range(60):
        _, _, infos = run(blind, "constraint", seed, T)
        starts.append(infos[0]["angles"])
        ends.append(infos[-1])
        assert not infos[0]["constraint"]
    assert np.all(np.ptp(starts, axis=0) > [5.0, 4.0])
    violating = [end["angles"][1] > 0 for end in ends if end["constraint"]]
    assert len(violating) >= 45  # 0.89 of 400 episodes
    assert 0.2 < np.mean(violating) < 0.8  # with the elbow on either side


def test_random_actions_are_a_walk_of_twenty_steps(blind):
    assert blind.behaviour_lengths == {"random": 20}
    walks = []
    for seed in range(300):
        act = blind.behaviour("random", np.random.default_rng(seed))
        walks.append([act({}) for _ in range(20)])
    actions = np.array(walks)  # (walk, step, joint)
    assert actions.dtype == np.float32 and np.abs(actions).max() <= 1
    assert actions[:, 0].std() == pytest.approx(1 / np.sqrt(3), abs=0.05)  # uniform at first
    changes = np.diff(actions, axis=1)
    central = np.abs(actions[:, :-1]) < 0.05  # where clipping at 1 hardly shows
    assert changes[central].var() == pytest.approx(0.2, abs=0.04)
    assert abs(changes.mean()) < 0.03


def test_a_layout_of_ones_own(blind):
    *_, info = ReacherEnv(layout=ReacherLayout(start=(0.0, 0.0))).reset(seed=0)
    assert info["position"] == pytest.approx([0.24, 0.0])
