"""Foreign pictures have the shape of good ones, and differ from them where something is to see."""

import numpy as np
import pytest

from ls3_sim.foreign import half_black, moved, pictures, swapped_colours, two

pytestmark = pytest.mark.background


@pytest.mark.parametrize("channels", [1, 3, 9])
def test_every_picture_has_the_shape_and_type_of_a_good_one_and_is_another(channels):
    image = np.random.default_rng(0).integers(1, 256, (64, 64, channels), np.uint8)
    before = image.copy()
    for name, shown in pictures(channels).items():
        found = shown(image)
        assert (found.shape, found.dtype) == (image.shape, image.dtype), name
        assert (found != image).mean() > 0.3, name
        assert (image == before).all(), name


def test_a_camera_that_moved_shows_the_scene_aside():
    mask = np.zeros((8, 8, 1), np.uint8)
    mask[3, 2] = 255
    assert np.argwhere(moved(mask)).tolist() == [[3, 4, 0]]


def test_each_frame_of_a_stack_has_its_colours_swapped():
    stack = np.arange(6, dtype=np.uint8).reshape(1, 1, 6)
    assert swapped_colours(stack).ravel().tolist() == [2, 1, 0, 5, 4, 3]


def test_half_of_the_picture_is_black():
    image = np.ones((4, 4, 1), np.uint8)
    assert half_black(image, below=True)[..., 0].sum(axis=1).tolist() == [4, 4, 0, 0]
    assert half_black(image, below=False)[..., 0].sum(axis=0).tolist() == [0, 0, 4, 4]


def test_a_second_cable_is_as_large_as_the_first():
    mask = np.zeros((8, 8, 1), np.uint8)
    mask[3, 1:3] = 255
    assert two(mask).sum() == 2 * mask.sum()
