"""Bags of a raw camera: the recorded camera_info corrects the lens, or nothing is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from recorded import ROOT, Recording, header, make, record_episode, simulation
from test_data_import import KINDS, SEEDS, data_import, rows
from test_data_video import film

from dvrk_cable_env.camera.lens import Calibration, Lens
from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

SIDE, STEPS = 128, 4
K = (95.0, 0.0, 64.5, 0.0, 94.0, 62.0, 0.0, 0.0, 1.0)
BARREL = Calibration(SIDE, SIDE, "plumb_bob", K, (-0.35, 0.12, 0.0, 0.001, 0.0))
MISSING = "undistort is true, but no camera_info was recorded before the frame"


def through(rgb: np.ndarray) -> np.ndarray:
    """What a camera with that lens sees of a picture, same shape."""
    k, d = np.array(BARREL.k).reshape(3, 3), np.array(BARREL.d)
    raw = np.stack(np.meshgrid(*2 * [np.arange(SIDE, dtype=float)]), axis=-1).reshape(-1, 1, 2)
    enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-8)
    ideal = cv2.undistortPointsIter(raw, k, d, np.eye(3), k, enough)
    maps = ideal.reshape(SIDE, SIDE, 2).astype(np.float32)
    return cv2.remap(rgb, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@dataclass
class Raw(Recording):
    """A bag of a camera with a lens, whose driver says what it is before every frame."""

    says: Calibration | None = BARREL
    stamps: list[int] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)

    def frame(self, pixels: np.ndarray, success: bool, constraint: bool) -> None:
        if self.says is not None:
            fields = {
                "width": self.says.width,
                "height": self.says.height,
                "distortion_model": self.says.model,
                "k": np.array(self.says.k),
                "d": np.array(self.says.d),
                "r": np.eye(3).ravel(),
                "p": np.eye(3, 4).ravel(),
            }
            head = header(self.robot, "camera")
            self.send(
                "camera/camera_info", make("sensor_msgs/msg/CameraInfo", header=head, **fields)
            )
        self.picture = through
        self.stamps.append(self.robot)
        self.pictures.append(through(pixels))
        super().frame(pixels, success, constraint)


Spoil = Callable[[Raw, int, int], None]


def record(path: Path, spoil: Spoil | None = None, **settings: Any) -> tuple[Raw, list[Episode]]:
    truth = []
    more = {"spoil": spoil} if spoil else {}
    with simulation() as env, Raw(path, **settings, **more) as recording:
        for number, (kind, seed) in enumerate(zip(KINDS, SEEDS, strict=True)):
            recording.mark("start")
            recording.wait(1)
            truth.append(record_episode(recording, env, kind, seed, number, STEPS))
            recording.wait(1)
            recording.mark("stop")
            recording.wait(2000)
    return recording, truth


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    """The domain's numbers, for a robot whose camera is raw."""
    text = (ROOT / "ls3_common/config/cable_routing.yaml").read_text()
    text += "\n/**/segmentation_node:\n  ros__parameters:\n    undistort: true\n"
    (tmp_path / "my_robot.yaml").write_text(text)
    return ["--config", str(tmp_path / "my_robot.yaml")]


def deployed(recording: Raw, episode: Episode) -> np.ndarray:
    """The masks that segmentation_node makes of the raw frames that are this episode's states."""
    lens = Lens("")
    lens.receive(BARREL)
    first = recording.stamps.index(episode.attributes["import"]["first_stamp"])
    states = range(first, first + 4 * STEPS + 1, 4)  # three frames between two states
    return np.stack(
        [segment_cable(lens.correct(recording.pictures[index]))[:, :, None] for index in states]
    )


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one > 127) & (other > 127)).sum() / ((one > 127) | (other > 127)).sum())


@pytest.mark.parametrize("compressed", [False, True])
def test_masks_are_those_of_the_deployment(
    tmp_path: Path, config: list[str], compressed: bool
) -> None:
    recording, truth = record(tmp_path / "lab", compressed=compressed)
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 0
    assert data_import(tmp_path / "lab", tmp_path / "plain") == 0  # as if the camera had no lens
    plain = [read_episode(file) for file in list_episodes(tmp_path / "plain")]
    for file, expected, bent in zip(list_episodes(tmp_path / "out"), truth, plain, strict=True):
        found = read_episode(file)
        assert np.array_equal(found.actions, expected.actions)
        assert np.array_equal(found.observations, deployed(recording, found))
        assert overlap(found.observations, expected.observations) > 0.8, "a cable of two pixels"
        assert overlap(bent.observations, expected.observations) < 0.3
    assert found.attributes["import"]["settings"]["segmentation"]["undistort"] is True


def test_a_bag_without_camera_info_gives_nothing(tmp_path: Path, config: list[str]) -> None:
    record(tmp_path / "lab", says=None)
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 2
    reason = "undistort is true, but the bag has no /camera/camera_info"
    assert [row["reason"] for row in rows(tmp_path / "out")] == [reason] * 2
    assert list_episodes(tmp_path / "out") == []


BAD = {
    "of other frames": (
        dataclasses.replace(BARREL, width=640, height=480),
        "camera_info describes frames of 640 x 480, this frame is 128 x 128",
    ),
    "of no lens": (
        dataclasses.replace(BARREL, model=""),
        "camera_info: distortion_model '' is none of",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_camera_info_that_goes_bad_costs_its_episode(
    tmp_path: Path, config: list[str], name: str
) -> None:
    bad, reason = BAD[name]

    def spoil(recording: Recording, number: int, step: int) -> None:
        assert isinstance(recording, Raw)
        if (number, step) == (1, 2):
            recording.says = bad

    _, truth = record(tmp_path / "lab", spoil)
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["imported", "rejected"]
    assert reason in found[1]["reason"]
    (file,) = list_episodes(tmp_path / "out")
    assert np.array_equal(read_episode(file).actions, truth[0].actions)


def test_a_damaged_camera_info_is_no_lens(tmp_path: Path, config: list[str]) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        assert isinstance(recording, Raw)
        if (number, step) == (1, 0):
            recording.says = None
            connection = recording._connections["camera/camera_info"]
            moment = recording.robot + recording.offset
            recording._writer.write(connection, moment, b"\0\1\0\0" + b"\1" * 20)

    record(tmp_path / "lab", spoil)
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["imported", "rejected"]
    assert "/camera/camera_info: not a sensor_msgs/msg/CameraInfo" in found[1]["reason"]


def test_before_the_first_camera_info_no_frame_counts(tmp_path: Path, config: list[str]) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        assert isinstance(recording, Raw)
        if step == 1:  # within the first episode
            recording.says = BARREL

    record(tmp_path / "lab", spoil, says=None)
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["rejected", "imported"]
    assert MISSING in found[0]["reason"]


def test_colours_are_judged_through_the_lens_of_their_reference(
    tmp_path: Path, config: list[str]
) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        assert isinstance(recording, Raw)
        if number == 1:
            recording.says = dataclasses.replace(BARREL, k=(96.0, *K[1:]))

    record(tmp_path / "lab", spoil, without=frozenset({"task_state"}))
    assert data_import(tmp_path / "lab", tmp_path / "out", *config) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["imported", "rejected"]
    assert found[0]["labels_from"] == "colour"
    assert found[1]["reason"] == "camera_info has changed since the reference frame"


def test_a_video_has_no_camera_info(tmp_path: Path, config: list[str]) -> None:
    film(tmp_path)
    words = ["--video", str(tmp_path / "video.json")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *config, *words) == 2
    reason = "undistort is true, but a video has no camera_info"
    assert [row["reason"] for row in rows(tmp_path / "out")] == [reason] * 2
