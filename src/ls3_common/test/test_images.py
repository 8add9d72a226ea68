from __future__ import annotations

import numpy as np
import pytest

from ls3_common.images import (
    FrameStack,
    StampedFrameStack,
    coloured,
    newest,
    to_array,
    to_message,
)

pytestmark = pytest.mark.background


def frame(level: int, channels: int = 3) -> np.ndarray:
    return np.full((4, 5, channels), level, np.uint8)


def levels(stacked: np.ndarray) -> list[int]:
    assert stacked.shape == (4, 5, 9)
    return [int(stacked[0, 0, channel]) for channel in (0, 3, 6)]


def test_stack_is_oldest_first_and_begins_with_its_first_frame() -> None:
    stack = FrameStack(3)
    assert levels(stack.add(frame(1))) == [1, 1, 1]
    assert levels(stack.add(frame(2))) == [1, 1, 2]
    assert levels(stack.add(frame(3))) == [1, 2, 3]
    assert levels(stack.add(frame(4))) == [2, 3, 4]
    stack.clear()
    stack.drop_newest()
    assert levels(stack.add(frame(5))) == [5, 5, 5]


def test_a_frame_that_comes_again_replaces_itself() -> None:
    stack = StampedFrameStack(3, 0.5)
    for stamp, level in ((5, 1), (6, 2), (6, 2), (6, 2)):
        stacked = stack.add(stamp, frame(level))
    assert levels(stacked) == [1, 1, 2]


@pytest.mark.parametrize("stamp", [1, 10**9 + 500_000_001 + 2])
def test_another_scene_begins_anew(stamp: int) -> None:
    stack = StampedFrameStack(3, 0.5)
    for index in range(3):
        stack.add(10**9 + index, frame(index))
    assert levels(stack.add(stamp, frame(9))) == [9, 9, 9]


@pytest.mark.parametrize(
    ("channels", "encoding"), [(1, "mono8"), (3, "rgb8"), (2, "8UC2"), (4, "8UC4")]
)
def test_message_and_back(channels: int, encoding: str) -> None:
    from std_msgs.msg import Header

    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, channels), np.uint8)
    message = to_message(pixels, Header(frame_id="camera"))
    assert (message.encoding, message.header.frame_id) == (encoding, "camera")
    assert np.array_equal(to_array(message), pixels)


@pytest.mark.parametrize(
    ("channels", "shown"),
    [(3, [3, 4, 5]), (1, [5, 5, 5]), (2, [4, 4, 4])],  # of two: the mean of 4 and 5
)
def test_people_see_the_newest_frame_in_colour_or_grey(channels: int, shown: list[int]) -> None:
    stacked = np.full((2, 2, 6), range(6), np.uint8)
    picture = coloured(newest(stacked, channels))
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 2, 3) and picture[0, 0].tolist() == shown
