"""Labels of eq. (9) and (11), and what is drawn from where."""

import numpy as np
import pytest
import torch
from small import SPEC, config, episode

from ls3_models.heads import discounted_returns, safe_set_labels
from ls3_models.replay import Replay

pytestmark = pytest.mark.background


def test_returns_discount_the_cost_to_go():
    rewards = np.array([-1, -1, 0], np.float32)
    np.testing.assert_allclose(discounted_returns(rewards, 0.5), [-1.5, -1.0, 0.0])


def test_safe_set_ends_with_the_last_frame_that_leads_into_the_goal():
    stays = episode(goal_from=4)
    assert safe_set_labels(stays).tolist() == [True] * 6
    leaves = episode(goal_from=4)
    leaves.success[:] = [0, 0, 1, 0, 0, 0]
    assert safe_set_labels(leaves).tolist() == [True] * 3 + [False] * 3
    fails = episode(goal_from=99)
    assert not safe_set_labels(fails).any()


def make_replay(*episodes):
    replay = Replay(config(), torch.tensor(SPEC.action_low), torch.tensor(SPEC.action_high))
    for number, one in enumerate(episodes):
        mean = torch.arange(len(one) + 1).float()[:, None] + 100 * number
        replay.add(one, mean, torch.zeros_like(mean))
    return replay


def test_transitions_join_consecutive_frames_of_one_episode():
    replay = make_replay(episode(0), episode(1))
    batch = replay.transitions((500,), torch.Generator().manual_seed(0))
    assert torch.equal(batch.next_latents, batch.latents + 1)
    assert set(batch.latents[:, 0].int().tolist()) == {*range(6), *range(100, 106)}


def test_arrivals_are_steps_whose_next_frame_is_in_the_goal():
    batch = make_replay(episode(goal_from=4)).transitions((200,), torch.Generator().manual_seed(0))
    assert torch.equal(batch.arrives > 0, batch.next_latents[:, 0] >= 5)


def test_actions_are_scaled_to_one():
    one = episode(0)
    one.actions[:] = [[0.01, -0.01]] * 6
    batch = make_replay(one).transitions((4,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(batch.actions, torch.tensor([[1.0, -1.0]] * 4))


def test_value_is_learned_from_demonstrations_and_online_data_only():
    replay = make_replay(episode(0), episode(1, source="random"), episode(2, source="online"))
    batch = replay.transitions((500,), torch.Generator().manual_seed(0), on_policy=True)
    assert {int(x) // 100 for x in batch.latents[:, 0]} == {0, 2}


def test_constraint_and_success_label_the_frame_they_were_seen_in():
    one = episode(goal_from=4)
    one.constraint[5] = True
    frames = make_replay(one).frames((300,), torch.Generator().manual_seed(0))
    place = frames.latents[:, 0]
    assert torch.equal(frames.labels["constraint"] > 0, place == 6)  # constraint[5] speaks of s_6
    assert torch.equal(frames.labels["goal"] > 0, place == 5)


def test_what_comes_after_a_violation_is_in_neither_goal_nor_safe_set():
    one = episode(goal_from=4)
    one.constraint[2] = True  # a recording that went through the constraint into the goal
    assert not safe_set_labels(one).any()
    replay = make_replay(one)
    generator = torch.Generator().manual_seed(0)
    frames, batch = replay.frames((300,), generator), replay.transitions((300,), generator)
    assert torch.equal(frames.labels["constraint"] > 0, frames.latents[:, 0] == 3)
    assert not frames.labels["goal"].any()
    assert not batch.arrives.any() and not batch.labels["safe"].any()
    one.constraint[2:] = [False, False, False, True]  # s_5 is in the goal, s_6 violates
    assert safe_set_labels(one).tolist() == [True] * 5 + [False]


def test_a_replay_grows():
    replay = make_replay(episode(0))
    replay.frames((1,), torch.Generator())
    replay.add(episode(1), torch.zeros(7, 1), torch.ones(7, 1))
    assert len(replay) == 14
    assert len(replay.frames((5,), torch.Generator()).latents) == 5
