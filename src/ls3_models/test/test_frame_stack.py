"""Stacked frames as the newest and the changes."""

import pytest
import torch
from small import config
from torch import Generator

from ls3_common.errors import ConfigError
from ls3_models.frame_stack import GAIN, from_changes, reverse_some, to_changes
from ls3_models.learner import Learner

pytestmark = pytest.mark.background

STACK = torch.rand(4, 9, 5, 5, generator=Generator().manual_seed(0))


def test_changes_are_those_between_frames_the_latest_first():
    oldest, middle, newest = STACK.chunk(3, dim=1)
    parts = to_changes(STACK, 3)
    torch.testing.assert_close(parts[:, :3], newest)
    torch.testing.assert_close(parts[:, 3:6], GAIN * (newest - middle))
    torch.testing.assert_close(parts[:, 6:], GAIN * (middle - oldest))


@pytest.mark.parametrize("frames", [1, 3])
def test_nothing_is_lost(frames):
    torch.testing.assert_close(from_changes(to_changes(STACK, frames), frames), STACK)


def test_some_stacks_are_played_backwards_whole():
    many = STACK.repeat(50, 1, 1, 1)
    turned = reverse_some(many, 3, Generator().manual_seed(1))
    backwards = torch.cat(many.chunk(3, dim=1)[::-1], dim=1)
    kept = (turned == many).flatten(1).all(dim=1)
    assert ((turned == backwards).flatten(1).all(dim=1) == ~kept).all()
    assert 0.3 < kept.float().mean() < 0.7


def test_a_single_frame_costs_no_random_number():
    """Else models of single frames would train to other weights than before."""
    generator = Generator().manual_seed(2)
    before = generator.get_state()
    assert reverse_some(STACK, 1, generator) is STACK
    assert torch.equal(generator.get_state(), before)


def test_motion_counts_in_the_loss():
    """A moving dot costs more than the same dot at rest, by what changes between its frames."""
    frames = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    for k in range(3):
        frames[0, 20:24, 20 + 4 * k : 24 + 4 * k, k] = 255
        frames[1, 20:24, 28:32, k] = 255
    moving, resting = (
        learner(frame_stack=3).vae_step(frames[k : k + 1])["squared_error_per_image"]
        for k in range(2)
    )
    # 16 pixels appear and 16 vanish in each of two changes; the same frame is the newest
    assert moving - resting == pytest.approx(64 * GAIN**2, rel=0.05)


def test_frames_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ConfigError, match=r"3 channels.*2 frames"):
        learner(frame_stack=2)


def learner(**changes):
    return Learner(config(augmentation="none", **changes), 3, 2, seed=0)
