"""The mask and the task check by colour, on drawn frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dvrk_cable_env.camera.segmentation import (
    FrameError,
    SegmentationConfig,
    cable_pixels,
    frame_fault,
    segment_cable,
)
from dvrk_cable_env.camera.task_by_colour import task_masks, task_state
from ls3_common.errors import ConfigError
from ls3_common.parameters import build

pytestmark = pytest.mark.background

RED, BLUE, GREEN, TABLE = (200, 20, 20), (25, 55, 200), (40, 180, 65), (210, 204, 194)


def scene(size=128):
    """A table with obstacle (left) and goal (right)."""
    frame = np.full((size, size, 3), TABLE, np.uint8)
    cv2.circle(frame, (40, 60), 10, BLUE, -1)
    cv2.circle(frame, (100, 60), 8, GREEN, -1)
    return frame


def with_cable(begin, end):
    frame = scene()
    cv2.line(frame, begin, end, RED, 3)
    return frame


def test_the_mask_is_the_cable_alone():
    frame = scene()
    frame[100:104, 10:110] = RED
    mask = segment_cable(frame)
    assert mask.dtype == np.uint8
    expected = np.zeros((64, 64), np.uint8)
    expected[50:52, 5:55] = 255
    assert np.array_equal(mask, expected)
    assert not segment_cable(scene()).any()


def test_edges_are_grey_as_area_averaging_leaves_them():
    frame = scene()
    frame[100, 20:60] = RED  # one of the two rows of a mask pixel
    assert set(np.unique(segment_cable(frame))) == {0, 128}


@pytest.mark.parametrize("hue", [172, 179, 0, 8])
def test_red_lies_on_both_ends_of_the_hue_circle(hue):
    frame = scene()
    frame[100:110, 20:30] = cv2.cvtColor(np.uint8([[[hue, 220, 200]]]), cv2.COLOR_HSV2RGB)[0, 0]
    assert cable_pixels(frame).sum() == 100


def test_a_crop_is_a_square_of_the_frame():
    config = SegmentationConfig(
        width=200, height=160, crop_left=40, crop_top=20, crop_side=128, mask_size=64
    )
    frame = np.full((160, 200, 3), TABLE, np.uint8)
    frame[20:22, 40:42] = RED
    frame[0:10, :] = RED  # outside
    mask = segment_cable(frame, config)
    assert mask[0, 0] == 255
    assert mask.sum() == 255


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (np.zeros((128, 128, 3), np.uint8), "black"),
        (np.full((128, 128, 3), 5, np.uint8), "black"),
        (np.full((120, 128, 3), 90, np.uint8), r"shape is \(120, 128, 3\), expected"),
        (np.full((128, 128), 90, np.uint8), "shape is"),
        (np.full((128, 128, 4), 90, np.uint8), "shape is"),
        (np.full((128, 128, 3), 0.5, np.float32), "pixels are float32, expected uint8"),
        (None, "not an image, but NoneType"),
    ],
)
def test_unusable_frames_are_refused_with_their_reason(frame, reason):
    assert frame_fault(frame, SegmentationConfig())
    for function in (segment_cable, cable_pixels, task_masks):
        with pytest.raises(FrameError, match=reason):
            function(frame)


def test_a_usable_frame_has_no_fault():
    assert frame_fault(scene(), SegmentationConfig()) == ""


def test_success_is_cable_over_what_was_goal():
    masks = task_masks(scene())
    assert task_state(with_cable((70, 100), (100, 62)), masks) == (True, False)
    assert task_state(with_cable((70, 100), (85, 62)), masks) == (False, False)


def test_touching_is_cable_beside_what_was_obstacle():
    masks = task_masks(scene())
    assert task_state(with_cable((10, 48), (80, 48)), masks) == (False, True)
    assert task_state(with_cable((10, 44), (80, 44)), masks) == (False, False)


def with_tool(centre, colour=(90, 92, 97)):
    frame = scene()
    cv2.circle(frame, centre, 4, colour, -1)
    return frame


def test_a_tool_of_any_colour_touches_where_it_hides_the_obstacles_rim():
    masks = task_masks(scene())
    for colour in ((90, 92, 97), (20, 20, 20), (255, 255, 255), GREEN):
        assert task_state(with_tool((40, 74), colour), masks) == (False, True)
        assert task_state(with_tool((40, 78), colour), masks) == (False, False)
        assert task_state(with_tool((40, 60), colour), masks) == (False, True)


def test_the_shaft_of_a_robot_can_be_allowed_to_hide_the_obstacle():
    config = SegmentationConfig(rim_pixels=0)
    masks = task_masks(scene(), config)
    assert task_state(with_tool((40, 74)), masks, config) == (False, False)
    assert task_state(with_cable((10, 48), (80, 48)), masks, config) == (False, True)


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.2])
def test_light_and_noise_touch_nothing(gain):
    masks = task_masks(scene())
    rng = np.random.default_rng(0)
    noisy = scene() * gain + rng.normal(0, 4, (128, 128, 3))
    assert task_state(np.clip(noisy, 0, 255).astype(np.uint8), masks) == (False, False)
    touched = with_tool((40, 74)) * gain + rng.normal(0, 4, (128, 128, 3))
    assert task_state(np.clip(touched, 0, 255).astype(np.uint8), masks) == (False, True)


def test_a_later_frame_does_not_change_the_reference():
    """The camera's buffer is used again."""
    frame = scene()
    masks = task_masks(frame)
    frame[:] = TABLE
    assert task_state(scene(), masks) == (False, False)


@pytest.mark.parametrize(("colour", "name"), [(BLUE, "obstacle"), (GREEN, "goal")])
def test_a_reference_must_show_goal_and_obstacle(colour, name):
    frame = scene()
    frame[(frame == colour).all(axis=2)] = TABLE
    with pytest.raises(FrameError, match=f"shows no {name}"):
        task_masks(frame)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cable_low": [170, 110]}, "three numbers"),
        ({"goal_high": [300, 255, 255]}, r"outside \[0, 255\]"),
        ({"crop_left": 10}, "crop_left"),
        ({"crop_side": 256}, "crop_side"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, text):
    with pytest.raises(ConfigError, match=text):
        build(SegmentationConfig, values, "test")
