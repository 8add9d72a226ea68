"""Videos with side-cars, as the dVRK's recorder writes them, stand in for the camera's topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from recorded import START, Recording, record_episode, simulation
from test_data_import import KINDS, SEEDS, data_import, rows

from dvrk_cable_env.bags.video import TYPE
from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

LATENCY = 7_000_000
"""Nanoseconds from the source to the recorder."""
STEPS = 4


@dataclass
class Filmed(Recording):
    """A bag without a camera's topic, and the video beside it."""

    robot: int = START  # as on a robot, where stamps are those of CLOCK_REALTIME
    offset: int = 0
    stereo: str = "undefined"
    stamps: list[int] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)

    def frame(self, pixels: np.ndarray, success: bool, constraint: bool) -> None:
        self.without = frozenset({self.camera})
        super().frame(pixels, success, constraint)
        self.stamps.append(self.robot)
        picture = pixels if self.stereo == "undefined" else np.hstack([pixels, pixels[:, ::-1]])
        self.pictures.append(picture)

    def write(self, path: Path) -> None:
        """MP4 and side-car."""
        height, width, _ = self.pictures[0].shape
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(path.with_suffix(".mp4")), code, 10.0, (width, height))
        assert writer.isOpened()
        for picture in self.pictures:
            writer.write(np.ascontiguousarray(picture[..., ::-1]))
        writer.release()
        path.with_suffix(".json").write_text(json.dumps(self.sidecar(path)))

    def sidecar(self, path: Path) -> dict[str, Any]:
        two = self.stereo != "undefined"

        def realtime(stamp: int) -> dict[str, Any]:
            return {
                "mono_source_ns": None if two else stamp,
                "left_source_ns": stamp - 10 if two else None,
                "right_source_ns": stamp + 10 if two else None,
                "stereo_output_ns": None,
                "overlay_output_ns": None,
                "recorder_reception_ns": stamp + LATENCY,
            }

        return {
            "type": TYPE,
            "video_file": f"{path.stem}.mp4",
            "side_by_side": self.stereo,
            "estimated_latency_ms": 0.0,
            "frames": [
                {"frame_index": index, "gst": {}, "cpu": {"realtime": realtime(stamp)}}
                for index, stamp in enumerate(self.stamps)
            ],
        }


def film(folder: Path, **settings: Any) -> tuple[Filmed, list[Episode]]:
    """A bag and a video of a demonstration and of an episode that is `constraint`."""
    truth = []
    with simulation() as env, Filmed(folder / "lab", **settings) as recording:
        for number, (kind, seed) in enumerate(zip(KINDS, SEEDS, strict=True)):
            recording.mark("start")
            recording.wait(1)
            truth.append(record_episode(recording, env, kind, seed, number, STEPS))
            recording.wait(LATENCY / 1e6 + 1)  # the last frame is on its way
            recording.mark("stop")
            recording.wait(2000)
    recording.write(folder / "video")
    return recording, truth


@pytest.fixture
def filmed(tmp_path: Path) -> tuple[Filmed, list[Episode]]:
    return film(tmp_path)


def decoded(path: Path) -> list[np.ndarray]:
    """All pictures of a video, RGB: what is left of them after compression."""
    capture, pictures = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        pictures.append(np.ascontiguousarray(answer[1][..., ::-1]))
    return pictures


def expected_masks(recording: Filmed, episode: Episode, path: Path) -> np.ndarray:
    """Masks of the frames that are the states, as the provenance of the import has their times."""
    first = recording.stamps.index(episode.attributes["import"]["first_stamp"])
    states = range(first, first + 4 * STEPS + 1, 4)  # three frames between two states
    pictures = decoded(path)
    return np.stack([segment_cable(pictures[index])[:, :, None] for index in states])


def test_a_video_gives_the_frames_and_the_bag_the_rest(
    filmed: tuple[Filmed, list[Episode]], tmp_path: Path
) -> None:
    recording, truth = filmed
    words = ["--video", str(tmp_path / "video.json")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 0
    files = list_episodes(tmp_path / "out")
    assert len(files) == 2
    for file, expected in zip(files, truth, strict=True):
        found = read_episode(file)
        assert np.array_equal(found.actions, expected.actions)
        masks = expected_masks(recording, found, tmp_path / "video.mp4")
        assert np.array_equal(found.observations, masks)
        # compression costs a few pixels at the cable's edge, and no more
        union = (found.observations > 0) | (expected.observations > 0)
        both = (found.observations > 0) & (expected.observations > 0)
        assert both.sum() > 0.8 * union.sum()
    assert {row["labels_from"] for row in rows(tmp_path / "out")} == {"colour"}
    assert {row["skew_ms"] for row in rows(tmp_path / "out")} == {50.0}
    # named by the MP4, and nothing new to do
    assert (
        data_import(tmp_path / "lab", tmp_path / "out", "--video", str(tmp_path / "video.mp4")) == 0
    )
    assert {row["verdict"] for row in rows(tmp_path / "out")} == {"present"}


@pytest.mark.parametrize(("eye", "stereo"), [("left", "LR"), ("right", "RL")])
def test_one_eye_of_a_stereo_video(tmp_path: Path, eye: str, stereo: str) -> None:
    """The wanted picture is the first half of both; the other half is mirrored."""
    _, truth = film(tmp_path, stereo=stereo)
    words = ["--video", str(tmp_path / "video.json"), "--eye", eye]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 0
    pictures = decoded(tmp_path / "video.mp4")
    for file, expected, first in zip(list_episodes(tmp_path / "out"), truth, (0, 17), strict=True):
        found = read_episode(file)
        halves = [pictures[first + 4 * step][:, :128] for step in range(STEPS + 1)]
        masks = np.stack([segment_cable(half)[:, :, None] for half in halves])
        assert np.array_equal(found.observations, masks)
        assert np.array_equal(found.actions, expected.actions)


def test_another_bag_than_the_videos(filmed: tuple[Filmed, list[Episode]], tmp_path: Path) -> None:
    document = json.loads((tmp_path / "video.json").read_text())
    for frame in document["frames"]:
        for name in ("mono_source_ns", "recorder_reception_ns"):
            frame["cpu"]["realtime"][name] += 3600 * 10**9
    (tmp_path / "video.json").write_text(json.dumps(document))
    words = ["--video", str(tmp_path / "video.json")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 2
    assert {row["reason"] for row in rows(tmp_path / "out")} == {
        "no video from the time of the bag"
    }


def shorten(document: dict[str, Any], _video: Path) -> None:
    document["frames"].pop()


def number_wrongly(document: dict[str, Any], _video: Path) -> None:
    document["frames"][5]["frame_index"] = 7


def take_a_key(document: dict[str, Any], _video: Path) -> None:
    del document["frames"][5]["cpu"]["realtime"]["recorder_reception_ns"]


def give_a_fraction(document: dict[str, Any], _video: Path) -> None:
    document["frames"][5]["cpu"]["realtime"]["mono_source_ns"] = 1.5e18


def turn_back(document: dict[str, Any], _video: Path) -> None:
    document["frames"][5]["cpu"]["realtime"]["recorder_reception_ns"] = 5


def another_type(document: dict[str, Any], _video: Path) -> None:
    document["type"] = "dvrk_data:video_sidecar@9.0.0"


def lose_the_video(_document: dict[str, Any], video: Path) -> None:
    video.unlink()


def cut_the_video(_document: dict[str, Any], video: Path) -> None:
    video.write_bytes(video.read_bytes()[:-2000])  # the index of an MP4 stands at its end


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (shorten, "video.mp4: 34 frames, but 33 time stamps in its side-car"),
        (number_wrongly, "a damaged side-car: frames that are not numbered"),
        (take_a_key, "a damaged side-car: no 'recorder_reception_ns'"),
        (give_a_fraction, "a damaged side-car: 1.5e+18 is not a time in nanoseconds"),
        (turn_back, "a damaged side-car: frames whose times of reception are not in order"),
        (another_type, "a side-car of type 'dvrk_data:video_sidecar@9.0.0', expected"),
        (lose_the_video, "video.mp4: there is no such video beside its side-car"),
        (cut_the_video, "video.mp4: OpenCV cannot read the video"),
    ],
)
def test_what_is_wrong_with_a_video_is_each_episodes_reason(
    filmed: tuple[Filmed, list[Episode]],
    tmp_path: Path,
    spoil: Callable[[dict[str, Any], Path], None],
    reason: str,
) -> None:
    sidecar, video = tmp_path / "video.json", tmp_path / "video.mp4"
    document = json.loads(sidecar.read_text())
    spoil(document, video)
    sidecar.write_text(json.dumps(document))
    assert data_import(tmp_path / "lab", tmp_path / "out", "--video", str(sidecar)) == 2
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["rejected"] * 2
    assert all(reason in row["reason"] for row in rows(tmp_path / "out"))


def test_no_sidecar(filmed: tuple[Filmed, list[Episode]], tmp_path: Path) -> None:
    (tmp_path / "video.json").unlink()
    words = ["--video", str(tmp_path / "video.mp4")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 2
    assert all("video.mp4: no side-car" in row["reason"] for row in rows(tmp_path / "out"))


def test_stamps_out_of_order_spoil_one_episode(
    filmed: tuple[Filmed, list[Episode]], tmp_path: Path
) -> None:
    """A source's clock that is put back by 10 s within the second episode."""
    _recording, truth = filmed
    document = json.loads((tmp_path / "video.json").read_text())
    for frame in document["frames"][22:]:
        frame["cpu"]["realtime"]["mono_source_ns"] -= 10 * 10**9
    (tmp_path / "video.json").write_text(json.dumps(document))
    words = ["--video", str(tmp_path / "video.json")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["imported", "rejected"]
    assert found[1]["reason"] == "the camera's clock jumped back by 9.9 s during the episode"
    (file,) = list_episodes(tmp_path / "out")
    assert np.array_equal(read_episode(file).actions, truth[0].actions)


def test_a_video_that_breaks_off_within_the_second_episode(
    filmed: tuple[Filmed, list[Episode]], tmp_path: Path
) -> None:
    """The recorder went on in another file, and that one is lost: the first is imported."""
    recording, truth = filmed
    stamps, pictures = recording.stamps, recording.pictures
    for name, part in (("a", slice(0, 22)), ("b", slice(22, None))):
        recording.stamps, recording.pictures = stamps[part], pictures[part]
        recording.write(tmp_path / name)
    (tmp_path / "b.mp4").unlink()
    words = ["--video", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 0
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["imported", "rejected"]
    assert found[1]["reason"] == "b.mp4: there is no such video beside its side-car"
    recording.stamps, recording.pictures = stamps[22:], pictures[22:]
    recording.write(tmp_path / "b")
    assert data_import(tmp_path / "lab", tmp_path / "out2", *words) == 0
    second = read_episode(list_episodes(tmp_path / "out2")[1])
    assert np.array_equal(second.actions, truth[1].actions)
