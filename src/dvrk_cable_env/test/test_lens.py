"""The lens is taken out of a frame, or the frame is refused with what is wrong with camera_info."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from lenses import LENSES, WIDE, K, message_of, overlap, through, workspace

from dvrk_cable_env.camera.lens import (
    Calibration,
    Lens,
    LensError,
    calibration_of,
    read_calibration,
)
from dvrk_cable_env.camera.segmentation import SegmentationConfig, cable_pixels, segment_cable
from dvrk_cable_env.camera.task_by_colour import task_masks
from ls3_common.errors import UserError

pytestmark = pytest.mark.background

CONFIG = SegmentationConfig(width=640, height=480, crop_left=80, crop_side=480)
PLUMB = LENSES["plumb_bob"]
NAN, INF = float("nan"), float("inf")


def lens_of(calibration: Calibration) -> Lens:
    lens = Lens("none has come")
    lens.receive(calibration)
    return lens


def masks(rgb: np.ndarray) -> dict[str, np.ndarray]:
    """Bool masks of what the stack looks for; the first is what the networks see."""
    found = task_masks(rgb, CONFIG)
    return {
        "mask": segment_cable(rgb, CONFIG) > 127,
        "cable": cable_pixels(rgb, CONFIG),
        "goal": found.goal,
        "obstacle": found.obstacle,
    }


@pytest.mark.parametrize(("model", "bent"), [*zip(LENSES, (0.5, 0.5, 0.1), strict=True)])
def test_masks_are_those_of_a_camera_without_a_lens(model: str, bent: float) -> None:
    """IoU 0.97 at least of the cable, whose edges are interpolated twice; `bent` of the raw one."""
    ideal = masks(workspace())
    raw = through(LENSES[model], workspace())
    assert overlap(masks(raw)["mask"], ideal["mask"]) < bent, "else this shows nothing"
    for name, mask in masks(lens_of(LENSES[model]).correct(raw)).items():
        assert overlap(mask, ideal[name]) > 0.965, name


@pytest.mark.parametrize("model", LENSES)
def test_corners_of_a_chessboard_come_back_to_where_they_were(model: str) -> None:
    """Within a third of a pixel, of up to 37 pixels by which the lens had moved them."""
    board = np.full((480, 640, 3), 200, np.uint8)
    for row in range(10):
        for column in range(14):
            if (row + column) % 2:
                board[row * 48 : row * 48 + 48, column * 46 : column * 46 + 46] = 30
    raw = through(LENSES[model], board)
    corrected = lens_of(LENSES[model]).correct(raw)
    inner = [(46 * c - 0.5, 48 * r - 0.5) for r in range(2, 9) for c in range(3, 12)]
    corners = np.array(inner, np.float32)[:, None]
    enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)

    def moved(rgb: np.ndarray) -> float:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        found = cv2.cornerSubPix(grey, corners.copy(), (7, 7), (-1, -1), enough)
        return float(np.abs(found - corners).max())

    assert moved(corrected) < 0.34
    assert moved(raw) > 3, "else this shows nothing"


def test_a_lens_without_distortion_leaves_every_pixel_as_it_is() -> None:
    frame = workspace()
    for model, count in (("plumb_bob", 5), ("rational_polynomial", 8)):
        known = dataclasses.replace(PLUMB, model=model, d=(0.0,) * count)
        assert lens_of(known).correct(frame) is frame
    fisheye = dataclasses.replace(LENSES["equidistant"], d=(0.0,) * 4)
    assert not np.array_equal(lens_of(fisheye).correct(frame), frame), "its zeros bend all lines"


def test_what_the_camera_did_not_see_is_black_and_no_cable() -> None:
    """A lens that bends outwards, and a cable along all of the frame's border."""
    frame = workspace()
    frame[:8], frame[-8:], frame[:, :8], frame[:, -8:] = 4 * [(200, 20, 20)]
    pincushion = dataclasses.replace(PLUMB, d=(0.3, 0.0, 0.0, 0.0, 0.0))
    corrected = lens_of(pincushion).correct(frame)
    assert not corrected[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    before, after = (cv2.inRange(f, (150, 0, 0), (255, 60, 60)) > 0 for f in (frame, corrected))
    assert after.sum() < before.sum()


BAD = {
    "nobody said": ({"model": ""}, "distortion_model '' is none of plumb_bob, rational_poly"),
    "unknown": ({"model": "thin_prism"}, "'thin_prism' is none of"),
    "not calibrated": ({"k": (0.0,) * 9}, "K is zero, which means that the camera is not"),
    "K nan": ({"k": (NAN, *K[1:])}, "K is not nine finite numbers"),
    "K inf": ({"k": (*K[:2], INF, *K[3:])}, "K is not nine finite numbers"),
    "K short": ({"k": K[:8]}, "K is not nine finite numbers"),
    "no focal length": ({"k": (460.0, 0.0, 331.0, 0.0, 0.0, *K[5:])}, "K is not fx 0 cx"),
    "mirrored": ({"k": (-460.0, *K[1:])}, "K is not fx 0 cx"),
    "skewed": ({"k": (460.0, 2.0, *K[2:])}, "K is not fx 0 cx"),
    "no last row": ({"k": (*K[:6], 0.0, 0.0, 0.0)}, "K is not fx 0 cx"),
    "no coefficients": ({"d": ()}, "plumb_bob has 5 coefficients, not 0"),
    "four": ({"d": PLUMB.d[:4]}, "plumb_bob has 5 coefficients, not 4"),
    "of another model": ({"model": "equidistant"}, "equidistant has 4 coefficients, not 5"),
    "eight": ({"model": "rational_polynomial"}, "rational_polynomial has 8 coefficients, not 5"),
    "D nan": ({"d": (*PLUMB.d[:4], NAN)}, "a coefficient is not finite"),
    "D inf": ({"d": (-INF, *PLUMB.d[1:])}, "a coefficient is not finite"),
    "overflow": ({"d": (1e308, 1e308, 0.0, 0.0, 1e308)}, "map pixels to infinity"),
    "folded": ({"d": (-2.5, 0.0, 0.0, 0.0, 0.0)}, "fold the picture"),
    "mirrored lens": ({"d": (-60.0, 0.0, 0.0, 0.0, 0.0)}, "fold the picture"),
    "other frames": (
        {"width": 320, "height": 240},
        "describes frames of 320 x 240, this frame is 640 x 480",
    ),
    "on its side": (
        {"width": 480, "height": 640},
        "describes frames of 480 x 640, this frame is 640 x 480",
    ),
    "huge": ({"width": 2**32 - 1, "height": 2**32 - 1}, "describes frames of 4294967295 x"),
    "a part": ({"is_part": True}, "binning or a region of interest"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_camera_info_is_refused_in_words_for_every_frame(name: str) -> None:
    fields, text = BAD[name]
    lens = lens_of(dataclasses.replace(PLUMB, **fields))
    for _ in range(2):
        with pytest.raises(LensError) as error:
            lens.correct(workspace())
        assert text in str(error.value)
    lens.receive(PLUMB)
    lens.correct(workspace())


def test_before_the_first_camera_info_the_frame_is_refused() -> None:
    with pytest.raises(LensError, match="none has come"):
        Lens("none has come").correct(workspace())


def test_another_camera_info_makes_other_maps_and_the_same_one_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    one, other = PLUMB, LENSES["rational_polynomial"]
    from dvrk_cable_env.camera import lens as module

    real = module.undistortion_maps
    monkeypatch.setattr(module, "undistortion_maps", lambda k: made.append(k.model) or real(k))
    lens = lens_of(one)
    first = lens.correct(workspace())
    for _ in range(3):
        lens.receive(dataclasses.replace(one))
        assert np.array_equal(lens.correct(workspace()), first)
    lens.receive(other)
    assert not np.array_equal(lens.correct(workspace()), first)
    assert made == ["plumb_bob", "rational_polynomial"]


@pytest.mark.parametrize("model", LENSES)
def test_messages_say_what_they_were_given(model: str) -> None:
    assert calibration_of(message_of(LENSES[model])) == LENSES[model]


def test_binning_and_regions_of_interest_are_seen() -> None:
    def part(**fields: Any) -> bool:
        message = message_of(PLUMB)
        for name, value in fields.items():
            setattr(message if name.startswith("binning") else message.roi, name, value)
        return calibration_of(message).is_part

    assert not part(binning_x=1, binning_y=1) and not part(width=640, height=480)
    assert part(binning_x=2) and part(binning_y=2)
    assert part(x_offset=10, width=320, height=240) and part(width=320, height=240)


def ost(lens: Calibration, **fields: Any) -> str:
    """As camera_calibration writes it, with what it has besides."""
    document = {
        "image_width": lens.width,
        "image_height": lens.height,
        "camera_name": "narrow_stereo",
        "camera_matrix": {"rows": 3, "cols": 3, "data": list(lens.k)},
        "distortion_model": lens.model,
        "distortion_coefficients": {"rows": 1, "cols": len(lens.d), "data": list(lens.d)},
        "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"rows": 3, "cols": 4, "data": np.eye(3, 4).ravel().tolist()},
    }
    return yaml.safe_dump(document | fields)


@pytest.mark.parametrize("model", LENSES)
def test_the_file_of_camera_calibration_is_read(model: str, tmp_path: Path) -> None:
    (tmp_path / "ost.yaml").write_text(ost(LENSES[model]))
    assert read_calibration(tmp_path / "ost.yaml") == LENSES[model]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a camera calibration"),
        ("[1, 2]", "not a camera calibration"),
        ("a: [", "not a camera calibration"),
        ("a: 1", "no key 'image_width'"),
        (ost(PLUMB, camera_matrix=[1, 2]), "not a camera calibration"),
        (ost(PLUMB, camera_matrix={"rows": 3}), "no key 'data'"),
        (ost(PLUMB, camera_matrix={"data": ["x"] * 9}), "not a camera calibration"),
        (ost(PLUMB, camera_matrix={"data": [10**400] * 9}), "not a camera calibration"),
        (ost(PLUMB, image_width="wide"), "not a camera calibration"),
        (ost(PLUMB, distortion_model=None), "not a camera calibration"),
        ("[" * 5000, "not a camera calibration"),
        (b"\xff\xfe\x00", "not a camera calibration"),
    ],
)
def test_a_file_that_is_none(text: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ost.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as error:
        read_calibration(path)
    assert said in str(error.value) and "camera_calibration saves" in str(error.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_calibration(tmp_path / "none.yaml")


def test_a_wide_lens_is_no_folded_one() -> None:
    """180 degrees of view: most of what it saw lies outside the corrected frame."""
    wide = Calibration(640, 480, "equidistant", (200.0, *WIDE[1:4], 200.0, *WIDE[5:]), (0.0,) * 4)
    assert lens_of(wide).correct(workspace()).any()
