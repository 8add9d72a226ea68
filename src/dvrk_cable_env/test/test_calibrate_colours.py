"""Colour ranges from picks: on drawn frames, where every right answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dvrk_cable_env.calibrate.colours import (
    PAINT,
    TARGETS,
    Range,
    overlapping_ranges,
    parameters_of,
    preview,
    propose_range,
)
from dvrk_cable_env.calibrate.panel import SLIDERS, Panel, _is_closed
from dvrk_cable_env.camera.segmentation import NodeConfig, SegmentationConfig, in_range
from ls3_common.errors import UserError
from ls3_common.parameters import build

pytestmark = pytest.mark.background

TABLE = (210, 204, 194)


def hsv_patch(hue: int, saturation: int = 200, value: int = 180) -> tuple[int, ...]:
    colour = cv2.cvtColor(np.uint8([[[hue, saturation, value]]]), cv2.COLOR_HSV2RGB)[0, 0]
    return tuple(int(c) for c in colour)


def frame(hue: int) -> np.ndarray:
    """A table with one bar of a hue: rows 50 to 57, columns 10 to 117."""
    rgb = np.full((128, 128, 3), TABLE, np.uint8)
    rgb[50:58, 10:118] = hsv_patch(hue)
    return rgb


def selected(rgb: np.ndarray, chosen: Range) -> np.ndarray:
    return in_range(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), chosen.low, chosen.high)


@pytest.mark.parametrize("hue", range(0, 180, 12))
def test_a_proposal_selects_the_object_and_nothing_else_at_every_hue(hue):
    rgb = frame(hue)
    expected = np.zeros((128, 128), bool)
    expected[50:58, 10:118] = True
    np.testing.assert_array_equal(
        selected(rgb, propose_range(rgb, [(20, 53), (100, 54)])), expected
    )


@pytest.mark.parametrize("hue", [0, 2, 90, 178])
def test_a_hue_range_wraps_through_red_only_where_it_must(hue):
    chosen = propose_range(frame(hue), [(50, 54)])
    assert (chosen.low[0] > chosen.high[0]) == (hue != 90)
    width = (chosen.high[0] - chosen.low[0]) % 180
    assert 10 <= width <= 24


def test_a_pick_half_beside_a_thin_object_does_no_harm():
    rgb = np.full((128, 128, 3), TABLE, np.uint8)
    rgb[50:52, 10:118] = hsv_patch(3)  # two pixels; a patch of three takes a row of the table
    chosen = propose_range(rgb, [(30, 50), (90, 51)])
    assert selected(rgb, chosen).sum() == 2 * 108


@pytest.mark.parametrize(
    ("picks", "text"),
    [
        ([], "no pixel was picked"),
        ([(20, 100)], r"pick \(20, 100\) is grey"),
        ([(20, 53), (400, 53)], r"pick \(400, 53\) lies outside the frame, 128 x 128"),
        ([(20, 53), (-3, 53)], "outside"),
        ([(20, 53), (60, 53), (30, 91)], r"pick \(30, 91\) has hue 120"),
    ],
)
def test_picks_that_cannot_be_meant_are_named(picks, text):
    rgb = frame(0)
    rgb[88:96, 10:118] = hsv_patch(120)
    with pytest.raises(UserError, match=text):
        propose_range(rgb, picks)


def test_the_shipped_ranges_share_no_colour_and_a_clash_is_told():
    assert overlapping_ranges(SegmentationConfig()) == []
    wide = parameters_of("cable", Range((95, 60, 40), (105, 255, 255)))
    assert overlapping_ranges(build(SegmentationConfig, wide, "test")) == ["cable and obstacle"]
    around = parameters_of("goal", Range((60, 60, 40), (5, 255, 255)))
    assert overlapping_ranges(build(SegmentationConfig, around, "test")) == [
        "cable and goal",
        "obstacle and goal",
    ]


def test_the_preview_paints_what_the_node_will_see():
    rgb = frame(0)
    picture, counts = preview(rgb, SegmentationConfig(), height=256)
    assert picture.shape == (256, 512, 3)
    assert counts == {"cable": 8 * 108, "obstacle": 0, "goal": 0}
    masks = picture[:, 256:]
    assert (masks[100:116, 20:236] == PAINT["cable"]).all()
    assert (masks.any(axis=2)).sum() == 4 * 8 * 108
    assert (picture[:, :256] == PAINT["cable"]).all(axis=2).any(), "outlined in the frame"


def test_the_panel_does_by_clicks_sliders_and_keys_what_it_says():
    rgb = frame(60)
    panel = Panel(NodeConfig(), lambda: np.array([0.01, 0.02]))
    panel.key("3")
    panel.click(rgb, (20, 53))
    assert panel.config.goal_low[0] in range(50, 60) and panel.config.goal_high[0] in range(61, 71)
    assert panel.config.cable_low == NodeConfig().cable_low
    before = panel.config
    panel.click(rgb, (20, 5))
    assert "grey" in panel.message and panel.config == before
    panel.slide(SLIDERS.index("val low"), 99)
    assert panel.config.goal_low[2] == 99 and panel.sliders[2] == 99
    panel.key("p")
    panel.click(rgb, (7, 9))
    panel.click(rgb, (8, 9))
    panel.key("u")
    assert panel.points == [((7, 9), (0.01, 0.02))]
    panel.key("s")
    assert not panel.leaving and "needs four" in panel.message, "nothing is lost by one point"
    panel.key("u")
    panel.key("1")
    assert panel.target == TARGETS[0] and not panel.leaving
    panel.key("s")
    assert panel.saving and panel.leaving


def test_undo_gives_back_the_range_before_the_pick():
    rgb = frame(60)
    panel = Panel(NodeConfig())
    panel.key("3")
    panel.slide(SLIDERS.index("hue low"), 30)
    ranges = [panel.sliders]
    for pick in ((20, 53), (100, 54)):
        rgb[50:58, 60:] = hsv_patch(66)  # the second pick widens the range
        panel.click(rgb, pick)
        ranges.append(panel.sliders)
    assert len(set(ranges)) == 3
    panel.key("1")
    panel.key("u")
    panel.key("3")
    for before in (ranges[1], ranges[0], ranges[0]):
        panel.key("u")
        assert panel.sliders == before


def test_a_panel_without_a_robot_takes_no_points():
    panel = Panel(NodeConfig())
    panel.key("p")
    panel.click(frame(0), (50, 54))
    assert panel.points == []


def test_a_window_that_is_no_more_counts_as_closed():
    """Qt's raises when it is asked, where others say that it is not to be seen."""
    assert _is_closed("calibrate")
