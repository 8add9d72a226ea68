"""The homography from points and markers: what it gives, and what it must refuse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dvrk_cable_env.calibrate.workspace import fit, marker_points
from dvrk_cable_env.camera.segmentation import SegmentationConfig, scene_view
from dvrk_cable_env.camera.segmentation_view import rectified, to_pixels, to_robot
from ls3_common.errors import ConfigError, UserError
from ls3_common.parameters import build

pytestmark = pytest.mark.background

# a camera that looks at the table from the side: metres per pixel, turned, with perspective
TRUTH = np.array([[4.1e-4, 3.0e-5, -0.12], [2.0e-5, -4.6e-4, 0.13], [1.0e-5, 3.5e-4, 1.0]])
PIXELS = np.array([[60, 50], [580, 70], [560, 430], [80, 410], [310, 250], [200, 130]], float)
GRID = np.stack(np.meshgrid(np.linspace(60, 580, 8), np.linspace(50, 430, 8)), -1).reshape(-1, 2)


@pytest.mark.parametrize("count", [4, 5, 6])
def test_exact_points_leave_nothing(count):
    found = fit(PIXELS[:count], to_robot(TRUTH, PIXELS[:count]))
    assert found.residuals.max() < 1e-8
    assert (found.error is None) == (count == 4)
    elsewhere = np.array([[100.0, 300.0], [500.0, 200.0]])
    moved = to_robot(found.homography, elsewhere)
    np.testing.assert_allclose(moved, to_robot(TRUTH, elsewhere), atol=1e-8)
    np.testing.assert_allclose(to_pixels(found.homography, moved), elsewhere, atol=1e-4)
    assert ("nothing checks them" in found.lines()[-1]) == (count == 4)


def test_a_base_far_away_costs_no_accuracy():
    positions = to_robot(TRUTH, PIXELS) + np.array([0.4, -1.2])
    found = fit(PIXELS, positions)
    assert found.residuals.max() < 1e-8


def test_residuals_are_as_large_as_the_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5e-4, GRID.shape)
    found = fit(GRID, to_robot(TRUTH, GRID) + noise, limit=0.003)
    assert found.error == pytest.approx(5e-4 * np.sqrt(2), rel=0.15)


@pytest.mark.parametrize("wrong", range(6))
def test_one_wrong_point_is_named(wrong):
    rng = np.random.default_rng(wrong)
    positions = to_robot(TRUTH, PIXELS) + rng.normal(0, 1e-4, PIXELS.shape)
    positions[wrong] += [0.012, -0.009]
    with pytest.raises(UserError, match=f"measure point {wrong + 1} again") as error:
        fit(PIXELS, positions)
    assert error.value.what.count("from where the other points put it") == 6


def test_with_five_points_a_wrong_one_is_refused_and_not_guessed_at():
    positions = to_robot(TRUTH, PIXELS[:5])
    positions[4] += [0.01, 0.0]
    with pytest.raises(UserError, match="with six points"):
        fit(PIXELS[:5], positions)


def test_two_wrong_points_blame_nobody():
    positions = to_robot(TRUTH, GRID)
    positions[5] += [0.02, 0.0]
    positions[30] += [0.0, 0.03]
    with pytest.raises(UserError, match="more than one point"):
        fit(GRID, positions)


LINE = np.stack([np.linspace(60, 580, 6), np.linspace(50, 430, 6)], 1)


@pytest.mark.parametrize(
    ("pixels", "positions", "text"),
    [
        (PIXELS[:3], to_robot(TRUTH, PIXELS[:3]), "needs four"),
        (PIXELS, to_robot(TRUTH, PIXELS)[:5], "6 pixels for 5"),
        (LINE, to_robot(TRUTH, LINE), "do not determine"),
        (np.vstack([LINE[:5], PIXELS[1]]), np.zeros((6, 2)), "do not determine"),
        (
            np.vstack([LINE[:5], PIXELS[1]]),
            to_robot(TRUTH, np.vstack([LINE[:5], PIXELS[1]])),
            "do not determine",
        ),
        (np.repeat(PIXELS[:1], 6, 0), to_robot(TRUTH, PIXELS), "do not determine"),
        (PIXELS, np.full((6, 2), np.nan), "not finite"),
    ],
)
def test_points_that_say_too_little_are_refused(pixels, positions, text):
    with pytest.raises(UserError, match=text):
        fit(pixels, positions)


def test_a_limit_that_is_no_number_lets_nothing_pass():
    with pytest.raises(UserError, match="do not agree"):
        fit(PIXELS, to_robot(TRUTH, PIXELS), limit=float("nan"))


def with_markers(positions):
    """A table seen at TRUTH, with markers of 30 mm at their places."""
    frame = np.full((480, 640), 230, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    for number, (x, y) in positions.items():
        drawn = cv2.aruco.generateImageMarker(dictionary, number, 60)
        side = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * 0.015
        corners = to_pixels(TRUTH, side + np.array([x, y])).astype(np.float32)
        square = np.array([[-0.5, -0.5], [59.5, -0.5], [59.5, 59.5], [-0.5, 59.5]], np.float32)
        matrix = cv2.getPerspectiveTransform(square, corners)
        warped = cv2.warpPerspective(drawn, matrix, (640, 480), borderValue=230)
        inside = cv2.warpPerspective(np.full((60, 60), 255, np.uint8), matrix, (640, 480))
        frame[inside > 127] = warped[inside > 127]
    return np.repeat(frame[..., None], 3, axis=2)


def test_markers_give_their_centres():
    positions = {3: (-0.07, 0.07), 7: (0.08, 0.06), 11: (0.06, -0.03), 20: (-0.05, -0.02)}
    positions[31] = (0.0, 0.03)
    pixels, places = marker_points(with_markers(positions), positions)
    found = fit(pixels, places)
    assert found.residuals.max() < 5e-4
    np.testing.assert_allclose(to_robot(TRUTH, pixels), places, atol=5e-4)
    with pytest.raises(UserError, match="marker 5 is seen not") as error:
        marker_points(with_markers(positions), {**positions, 5: (0.0, 0.0)})
    assert "3, 7, 11, 20, 31" in str(error.value)
    with pytest.raises(UserError, match="no ArUco dictionary 'DICT_9'"):
        marker_points(with_markers(positions), positions, "DICT_9")


def test_the_rectified_table_is_seen_from_above():
    """A square that lies askew in the frame is straight, where the robot has it, and as large."""
    frame = np.full((480, 640, 3), 200, np.uint8)
    low, high = np.array([-0.03, 0.0]), np.array([0.05, 0.04])
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    cv2.fillPoly(frame, [np.round(to_pixels(TRUTH, corners)).astype(np.int32)], (200, 20, 20))
    view = rectified(frame, tuple(TRUTH.ravel()), (0.01, 0.02), 0.12, 120)  # a pixel is 1 mm
    rows, columns = np.nonzero(view[..., 1] < 110)
    # x = -0.05 + (column + 0.5) mm, y = 0.08 - (row + 0.5) mm
    assert abs(columns.min() - 20) <= 1 and abs(columns.max() - 99) <= 1
    assert abs(rows.min() - 40) <= 1 and abs(rows.max() - 79) <= 1
    assert len(rows) == pytest.approx(80 * 40, rel=0.04)


GOOD = {
    "width": 640,
    "height": 480,
    "homography": TRUTH.ravel().tolist(),
    "view_centre": [0.01, 0.02],
    "view_width": 0.12,
}


def test_the_scene_of_a_calibrated_camera_is_the_rectified_square():
    config = build(SegmentationConfig, GOOD, "test")
    assert scene_view(np.full((480, 640, 3), 90, np.uint8), config).shape == (128, 128, 3)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"view_width": 0.6}, "does not show all"),
        ({"view_centre": [0.12, 0.0]}, "does not show all"),
        ({"view_centre": [0.0, -5.0], "view_width": 2.0}, "does not show all|horizon"),
        ({"view_centre": [0.0]}, "two numbers"),
        ({"homography": []}, "nine numbers"),
        ({"homography": [0.0] * 9}, "no inverse"),
        ({"homography": [float("nan")] * 9}, "finite"),
        ({"width": 320, "height": 240}, "does not show all"),
    ],
)
def test_a_view_that_the_frame_does_not_show_is_refused(values, text):
    with pytest.raises(ConfigError, match=text):
        build(SegmentationConfig, {**GOOD, **values}, "test")
