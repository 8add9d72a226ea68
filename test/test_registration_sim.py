"""A moved camera on rendered frames of 640 x 480 px: found, corrected, and not to be misled."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from dvrk_cable_env.camera.pose_reference import registration_of
from dvrk_cable_env.camera.registration import Registration, RegistrationError
from dvrk_cable_env.camera.segmentation import NodeConfig, segment_cable
from ls3_sim.cable_scene import CableScene

pytestmark = pytest.mark.background

TOOL = Path(__file__).parents[1] / "tools" / "registration.py"
NOT_FOUND, MOVES = "is not found", "the camera moves"
TOO_FAR = "has moved by more than 51 px, 3 degrees or 5 %"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("registration_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["registration_tool"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(tool: ModuleType) -> Iterator[Any]:
    made = tool.Table()
    yield made
    made.close()


@pytest.fixture(scope="module")
def reference(table: Any) -> np.ndarray:
    return np.asarray(table.reference())


@pytest.fixture
def registration(tool: ModuleType, reference: np.ndarray) -> Registration:
    return registration_of(reference, tool.CONFIG)


def outcome(registration: Registration, frame: np.ndarray) -> str:
    """Why a frame has no mask; empty if it has one."""
    try:
        registration.correct(frame)
    except RegistrationError as error:
        return str(error)
    return ""


def test_up_to_40_px_and_3_degrees_the_error_is_below_1_px(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    extreme = [
        tool.Moved(x, y, turn, scale)
        for x, y in ((40, 0), (0, -40), (-28, 28))
        for turn in (-3, 3)
        for scale in (0.95, 1.05)
    ]
    drawn = [moved for moved, _ in tool.drawn(table, 7, 12)]
    for index, moved in enumerate((*extreme, *drawn)):
        table.lay(np.random.default_rng(index))
        found = registration.find(table.frame(moved))
        assert found is not None, moved
        assert tool.error(found.matrix, moved.matrix) < 1, moved
        assert found.shift == pytest.approx((moved.x, moved.y), abs=1)
        assert found.rotation == pytest.approx(moved.turn, abs=0.1)
        assert found.scale == pytest.approx(moved.scale, abs=2e-3)


def test_a_corrected_frame_gives_nearly_the_mask_of_a_camera_at_its_place(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    for index in range(5):
        table.lay(np.random.default_rng(index))
        moved = tool.Moved(30, -20, 2, 1.03)
        outcome(registration, table.frame(moved))  # the knock
        corrected = segment_cable(registration.correct(table.frame(moved)), tool.CONFIG) > 127
        due = segment_cable(table.frame(), tool.CONFIG) > 127
        as_it_came = segment_cable(table.frame(moved), tool.CONFIG) > 127
        assert (corrected & due).sum() > 0.85 * (corrected | due).sum()
        assert (as_it_came & due).sum() < 0.4 * (as_it_came | due).sum()


def test_where_nothing_moved_a_frame_stays_the_same_array(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    for index in range(20):
        rng = np.random.default_rng(index)
        table.lay(rng)
        frame = table.frame()
        assert registration.correct(frame) is frame
        noisy = tool.photographed(frame, rng)
        assert registration.correct(noisy) is noisy


@pytest.mark.parametrize("size", [128, 256])
def test_frames_of_other_sizes(size: int) -> None:
    scene = CableScene(image_size=size)
    try:
        config = NodeConfig(width=size, height=size, crop_side=size)
        registration = registration_of(scene.render().copy(), config)
        scene.reset(start=np.array([0.06, -0.06]), bend=np.full(15, 0.1))
        for x, y in ((0.078, -0.078), (-0.05, 0.078), (0.0, -0.078)):
            matrix = cv2.getRotationMatrix2D(((size - 1) / 2,) * 2, 2.0, 1.02)
            matrix[:, 2] += (x * size, y * size)
            frame = cv2.warpAffine(
                scene.render(), matrix, (size, size), borderMode=cv2.BORDER_REPLICATE
            )
            outcome(registration, frame)  # the knock
            assert outcome(registration, frame) == ""
            found = registration.motion
            assert found is not None
            np.testing.assert_allclose(found.matrix @ (0, 0, 1), matrix @ (0, 0, 1), atol=0.5)
    finally:
        scene.close()


# -- attacks ------------------------------------------------------------------------------------


def test_a_slow_drift_is_followed_against_the_reference_and_ends_at_the_limit(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    """0.2 px a frame: no frame differs from the one before by anything that one could see."""
    said, drift = "", 0.0
    for index in range(150):
        if index % 20 == 0:
            table.lay(np.random.default_rng(index))
        drift += 0.2 if drift < 10 else 1.0  # sooner to the limit than it takes to get bored
        moved = tool.Moved(drift, 0.0, 0.05 * drift, 1.0)
        said = outcome(registration, table.frame(moved))
        if said:
            break
        assert registration.motion is not None
        assert tool.error(registration.motion.matrix, moved.matrix) < 1
    assert TOO_FAR in said and "call calibrate" in said
    assert 51 < drift < 53


def test_pictures_that_alternate_give_no_mask(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    places = [table.frame(tool.Moved(x, 0, 0, 1)) for x in (0, 20)]
    said = [outcome(registration, places[index % 2]) for index in range(12)]
    assert said[0] == "" and all(said[1:])
    assert {MOVES in one or NOT_FOUND in one for one in said[1:]} == {True}
    # two cameras, one of which sees another scene
    other = places[0][:, ::-1].copy()
    said = [outcome(registration, one) for one in [places[0], other] * 6]
    assert all(said)


def test_one_knock_costs_one_frame(
    tool: ModuleType, table: Any, registration: Registration
) -> None:
    knocked = table.frame(tool.Moved(-25, 10, 1.5, 1))
    assert [outcome(registration, one) for one in (table.frame(), knocked, knocked)] == [
        "",
        "the camera moves: two frames in a row must agree",
        "",
    ]


def test_another_scene_is_not_corrected(
    tool: ModuleType, table: Any, reference: np.ndarray
) -> None:
    """A reference of another table, and pictures with as many edges as one likes."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        other = np.full_like(reference, 200)
        for _ in range(8):
            colour = tuple(int(one) for one in rng.integers(0, 255, 3))
            place = tuple(int(one) for one in rng.integers((40, 40), (600, 440)))
            cv2.circle(other, place, int(rng.integers(10, 60)), colour, -1)
        assert NOT_FOUND in outcome(registration_of(other, tool.CONFIG), table.frame())
        assert NOT_FOUND in outcome(registration_of(reference, tool.CONFIG), other)
    for other in (
        reference[::-1, ::-1].copy(),
        reference[:, ::-1].copy(),
        255 - reference,
        rng.integers(0, 255, reference.shape, np.uint8),
        np.zeros_like(reference),
        np.full_like(reference, 190),
    ):
        registration = registration_of(reference, tool.CONFIG)
        assert all(NOT_FOUND in outcome(registration, other) for _ in range(7))
        assert registration.motion is None


def test_a_picture_without_edges_is_no_reference(tool: ModuleType, reference: np.ndarray) -> None:
    for bad in (np.full_like(reference, 90), np.zeros_like(reference)):
        with pytest.raises(RegistrationError, match="too few edges"):
            registration_of(bad, tool.CONFIG)
    # a single disc does not tell how a camera turns
    disc = np.full_like(reference, 200)
    cv2.circle(disc, (500, 240), 30, (20, 40, 200), -1, cv2.LINE_AA)
    with pytest.raises(RegistrationError, match="too few edges"):
        registration_of(disc, tool.CONFIG)


def test_a_hand_over_a_third_holds_or_changes_nothing(
    tool: ModuleType, table: Any, reference: np.ndarray
) -> None:
    refused = 0
    for moved, rng in tool.drawn(table, 3, 25):
        registration = registration_of(reference, tool.CONFIG)
        found = registration.find(tool.with_hand(table.frame(moved), rng))
        refused += found is None
        assert found is None or tool.error(found.matrix, moved.matrix) < 1
    assert 0 < refused < 25
    # and when the hand is gone, it goes on by itself
    registration = registration_of(reference, tool.CONFIG)
    hidden = reference.copy()
    hidden[:, 200:413] = tool.HAND
    frames = [reference, *[hidden] * 12, reference, reference]
    said = [outcome(registration, frame) for frame in frames]
    assert said[0] == said[-1] == "" and all(NOT_FOUND in one for one in said[1:13])


@pytest.mark.parametrize(
    ("beyond", "what"),
    [((60, 0, 0, 1), "by (60.0, "), ((0, 0, 4, 1), "by 4.0"), ((0, 0, 0, 1.07), "by 7.0 %")],
)
def test_beyond_each_limit_it_says_how_far_and_asks_for_calibrate(
    tool: ModuleType, table: Any, registration: Registration, beyond: tuple[float, ...], what: str
) -> None:
    frame = table.frame(tool.Moved(*beyond))
    for _ in range(2):
        assert TOO_FAR in outcome(registration, frame)
        assert what in str(registration.motion)
    wide = dataclasses.replace(
        tool.CONFIG.registration, max_shift=0.1, max_rotation=5, max_scale=0.1
    )
    allowing = registration_of(
        table.reference(), dataclasses.replace(tool.CONFIG, registration=wide)
    )
    assert [outcome(allowing, frame) for _ in range(2)][1] == ""
