"""Sequential pushing: the paper's section 7.3.3."""

from __future__ import annotations

import numpy as np
import pytest
from env_checks import check_frozen, run

from ls3_common.domain import load_spec
from ls3_sim.pushing_env import PushingEnv
from ls3_sim.variations import PushingVariations

pytestmark = pytest.mark.background

DOMAIN = load_spec("pushing")
T = DOMAIN.horizon
STILL = np.zeros(2, np.float32)
START = np.array([[-0.159, -0.03, 0.04], [0.0, -0.03, 0.04], [0.159, -0.03, 0.04]])
NAMES = ("left", "middle", "right")


@pytest.fixture(scope="module")
def env():
    """One environment for all tests: making its renderer is what takes long."""
    made = PushingEnv()
    yield made
    made.close()


@pytest.fixture
def blind(env, monkeypatch):
    """The same without pictures, for tests of many steps."""
    monkeypatch.setattr(
        env.scene, "observe", lambda _size, _change: np.zeros((64, 64, 3), np.uint8)
    )
    return env


def blocks_at(**xy):
    """The start's blocks with some put elsewhere, all on the table."""
    blocks = START.copy()
    for name, place in xy.items():
        blocks[NAMES.index(name), :2] = place
    return blocks


def test_spaces_info_and_start(env):
    observation, info = env.reset(seed=0)
    assert observation.shape == (64, 64, 3)
    assert observation.dtype == np.uint8
    assert env.action_space.low == pytest.approx(-0.05)
    assert env.action_space.high == pytest.approx(0.05)
    assert set(info) == {"success", "constraint", "position", "blocks"}
    assert info["position"].tolist() == [0.0, 0.12]
    assert info["blocks"] == pytest.approx(START)
    assert info["success"] is False and info["constraint"] is False
    assert env.random_starts == ()


def test_actions_are_clipped(blind):
    blind.reset(seed=0)
    *_, info = blind.step(np.array([-1.0, 0.03], np.float32))
    assert info["position"] == pytest.approx([-0.05, 0.15], abs=5e-4)


@pytest.mark.parametrize(
    ("middle", "reached"),
    [
        ((0.0, -0.10), True),
        ((0.0, -0.076), True),
        ((0.0, -0.074), False),  # not far enough
        ((0.0, -0.03), False),
        ((0.0, 0.10), False),  # the wrong way
        ((0.0, -0.198), True),
        ((0.0, -0.201), False),  # over the edge, about to fall
    ],
)
def test_the_goal_asks_for_every_block(env, middle, reached):
    pushed = blocks_at(left=(-0.159, -0.1), middle=middle, right=(0.159, -0.1))
    env.scene.reset(pushed, np.array([0.25, 0.15]))
    assert env.scene.at_goal is reached
    env.scene.reset(np.roll(pushed, 1, axis=0), np.array([0.25, 0.15]))
    assert env.scene.at_goal is reached


@pytest.mark.parametrize(("x", "reached"), [(-0.199, True), (-0.201, False)])
def test_reward_is_zero_in_the_goal_only_and_the_goal_is_bounded_sideways(env, x, reached):
    env.scene.reset(blocks_at(left=(x, -0.1), middle=(0.0, -0.1), right=(0.159, -0.1)))
    _, reward, *_, info = env.step(STILL)
    assert info["success"] is reached
    assert reward == (0.0 if reached else -1.0)


@pytest.mark.parametrize(
    ("name", "block", "effector", "push"),
    [
        ("middle", (0.0, -0.03), (0.0, 0.05), (0.0, -0.04)),  # through the goal, too far
        ("left", (-0.2, -0.03), (-0.1, -0.03), (-0.04, 0.0)),
        ("right", (0.2, -0.03), (0.1, -0.03), (0.04, 0.0)),
        ("middle", (0.0, 0.1), (0.0, 0.0), (0.0, 0.04)),
    ],
)
def test_a_block_off_any_edge_is_a_violation_that_freezes_all(env, name, block, effector, push):
    start, _ = env.reset(seed=0)
    env.scene.reset(blocks_at(**{name: block}), np.array(effector))
    action = np.array(push, np.float32)
    for _ in range(12):
        observation, reward, *_, info = env.step(action)
        assert reward == -1.0
        if info["constraint"]:
            break
        assert info["blocks"][:, 2].min() >= 0
    assert env.scene.blocks[:, 2].min() > -0.02
    check_frozen(env, start, observation, info, -action)


def test_demonstrations_push_one_block_after_the_other_slowly_into_the_goal(blind):
    returns = []
    for seed in range(8):
        _, rewards, infos = run(blind, "demonstration", seed, T)
        returns.append(sum(rewards))
        assert infos[-1]["success"]
        assert not any(info["constraint"] for info in infos)
        y = np.array([info["blocks"][:, 1] for info in infos])
        inside = [int(np.argmax(y[:, block] < -0.075)) for block in range(3)]
        assert 0 < inside[0] < inside[1] < inside[2] == 1 + rewards.count(-1.0)
        assert y[inside[0], 1:] == pytest.approx(-0.03, abs=1e-3)
        assert np.diff(y, axis=0).min() > -0.025
    assert np.mean(returns) == pytest.approx(-97, abs=6)


def test_a_demonstration_comes_back_for_the_block_that_it_left_at_the_edge(blind, monkeypatch):
    monkeypatch.setattr(blind, "variations", PushingVariations(missed_block=1.0))
    left_at = []
    for seed in range(10):
        *_, infos = run(blind, "demonstration", seed, T)
        assert infos[-1]["success"]
        assert not any(info["constraint"] for info in infos)
        y = np.array([info["blocks"][:, 1] for info in infos])
        moving = np.flatnonzero((np.diff(y, axis=0) < -1e-3).any(1))
        begins = moving[np.flatnonzero(np.diff(moving, prepend=-9) > 8)]
        *pushed, last = [int(np.argmin(y[step + 1] - y[step])) for step in begins]
        assert set(pushed) == {0, 1, 2} and pushed == sorted(pushed)
        assert last != pushed[-1]  # it has left this block, and comes back
        left_at.append(y[begins[-1], last])
        assert y[-1].max() < -0.09
    assert -0.1 < min(left_at) < -0.075 < max(left_at) < -0.05


def test_constraint_behaviour_lets_blocks_fall_over_several_edges(blind):
    fallen = []
    for seed in range(12):
        *_, infos = run(blind, "constraint", seed, T)
        if infos[-1]["constraint"]:
            fallen.append(min(infos[-1]["blocks"].tolist(), key=lambda place: place[2]))
    assert 4 <= len(fallen) <= 11  # the others are random data
    assert any(y < -0.2 for _, y, _ in fallen)
    assert any(abs(x) > 0.3 for x, _, _ in fallen)


def test_random_behaviour_fills_the_action_box(env):
    act = env.behaviour("random", np.random.default_rng(0))
    actions = np.array([act({}) for _ in range(500)])
    assert np.abs(actions).max() <= 0.05
    assert np.abs(actions.mean(axis=0)).max() < 0.005 and actions.std(axis=0).min() > 0.026
