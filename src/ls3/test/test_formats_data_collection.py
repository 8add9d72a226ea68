"""Sessions as jhu-dvrk/data_collection writes them: index, videos with stamps, a bag of topics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import record_episode, simulation
from test_data_import import data_import, rows
from test_data_video import STEPS, Filmed, decoded

from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

PERIOD = ("--period", "0.45")
CAMERA = "endoscope"


def session(
    base: Path, stage: str, clock: str = "20260117_153206", *, marks: bool = False, **settings: Any
) -> tuple[Path, Filmed, Episode]:
    """One recording of a demonstration, in a directory of its own."""
    folder = base / (f"{clock}_{stage}" if stage else clock)
    folder.mkdir(parents=True)
    with simulation() as env, Filmed(folder / f"rosbag_{folder.name}", **settings) as recording:
        if marks:
            recording.mark("start")
            recording.wait(1)
        truth = record_episode(recording, env, "demonstration", 3, 0, STEPS)
        recording.wait(1)
        if marks:
            recording.mark("success")
    name = f"{CAMERA}_{clock[2:]}" + (f"_{stage}" if stage else "")
    recording.write(folder / name)  # the video; its side-car is replaced
    sidecar = {
        "name": CAMERA,
        "fps": 10.0,
        "video_file": f"{name}.mp4",
        "timestamps_ns": recording.stamps,
    }
    (folder / f"{name}.json").write_text(json.dumps(sidecar))
    index = {
        "videos": [{"file": f"{name}.mp4", "duration": 1.8}],
        "rosbag": {"name": f"rosbag_{folder.name}", "duration": 2.0, "message_count": 9},
    }
    (folder / "index.json").write_text(json.dumps(index))
    return folder, recording, truth


def sidecar_of(folder: Path) -> Path:
    (found,) = folder.glob(f"{CAMERA}_*[!s].json")
    return found


WITHOUT_GRAPH = frozenset({"arm_command", "motion_state", "step_request", "task_state"})
"""What a lab does not record whose people move the arm by the console."""


@pytest.fixture(autouse=True)
def _console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arm is moved by the console: the recorded topics are the arm's own."""
    send = Filmed.send

    def without_graph(self: Filmed, topic: str, message: Any, kind: str = "") -> None:
        if topic not in WITHOUT_GRAPH:
            send(self, topic, message, kind)

    monkeypatch.setattr(Filmed, "send", without_graph)


def test_each_session_is_an_episode(tmp_path: Path) -> None:
    """The recorder's directory holds several; the second was recorded without stages."""
    one, _, truth = session(tmp_path / "lab", "throw_needle")
    session(tmp_path / "lab", "", "20260117_154000")
    (tmp_path / "lab" / "notes").mkdir()
    assert data_import(tmp_path / "lab", tmp_path / "out", *PERIOD) == 0
    files = list_episodes(tmp_path / "out")
    assert len(files) == 2
    names = [row["episode"] for row in rows(tmp_path / "out")]
    assert names == ["20260117_153206_throw_needle/0", "20260117_154000/0"]
    pictures = decoded(next(one.glob("*.mp4")))
    for file in files:
        found = read_episode(file)
        assert np.allclose(found.actions, truth.actions, rtol=0, atol=1e-7)
        masks = [segment_cable(picture)[:, :, None] for picture in pictures[::4]]
        assert np.array_equal(found.observations, np.stack(masks))
    assert data_import(one, tmp_path / "out", "--from", "data_collection", *PERIOD) == 0
    assert {row["verdict"] for row in rows(tmp_path / "out")} == {"present", "imported"}


def test_only_the_stages_that_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(tmp_path / "lab", "calibration")
    session(tmp_path / "lab", "random", "20260117_154000")
    words = [*PERIOD, "--stages", "random"]
    assert data_import(tmp_path / "lab", tmp_path / "out", *words) == 0
    (row,) = rows(tmp_path / "out")
    assert (row["episode"], row["source"]) == ("20260117_154000_random/0", "random")
    capsys.readouterr()
    assert data_import(tmp_path / "lab", tmp_path / "out", "--stages", "suture") == 2
    assert "choose other --stages" in capsys.readouterr().err


def test_tagged_stages_are_episodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """video_tag counts frames; its single tags may be this project's marks."""
    folder, recording, truth = session(tmp_path / "lab", "morning")
    tags = {
        "stages": [
            {"name": "route", "start": 0, "end": 8},
            {"name": "constraint", "start": 8, "end": 16},
        ],
        "tags": {"success": [4], "a word of the lab": [2]},
    }
    path = sidecar_of(folder)
    path.with_name(f"{path.stem}_tags.json").write_text(json.dumps(tags))
    assert data_import(folder, tmp_path / "out", *PERIOD) == 0
    first, second = map(read_episode, list_episodes(tmp_path / "out"))
    assert np.allclose(first.actions, truth.actions[:2], rtol=0, atol=1e-7)
    assert np.allclose(second.actions, truth.actions[2:], rtol=0, atol=1e-7)
    assert first.success.tolist() == [True, True]
    assert (first.source, second.source) == ("demonstration", "constraint")
    assert first.attributes["import"]["first_stamp"] == recording.stamps[0]
    tags["stages"][1]["end"] = 12
    path.with_name(f"{path.stem}_tags.json").write_text(json.dumps(tags))
    assert data_import(folder, tmp_path / "out", *PERIOD) == 0
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["present", "imported"]
    assert len(read_episode(list_episodes(tmp_path / "out")[1])) == 1
    tags["stages"][1]["end"] = 99
    path.with_name(f"{path.stem}_tags.json").write_text(json.dumps(tags))
    assert data_import(folder, tmp_path / "none", *PERIOD) == 2
    assert "stage 'constraint' is from frame 8 to 99 of 17" in capsys.readouterr().out


def test_a_recorder_that_was_killed_wrote_no_index(tmp_path: Path) -> None:
    folder, _, truth = session(tmp_path / "lab", "throw_needle")
    (folder / "index.json").unlink()
    assert data_import(folder, tmp_path / "out", *PERIOD) == 0
    (file,) = list_episodes(tmp_path / "out")
    assert np.allclose(read_episode(file).actions, truth.actions, rtol=0, atol=1e-7)


def test_marks_in_the_bag_count(tmp_path: Path) -> None:
    folder, _, _ = session(tmp_path / "lab", "throw_needle", marks=True)
    assert data_import(folder, tmp_path / "out", *PERIOD) == 0
    (file,) = list_episodes(tmp_path / "out")
    assert read_episode(file).success.tolist() == [False] * (STEPS - 1) + [True]


@pytest.mark.parametrize("eye", ["left", "right"])
def test_one_eye_of_two_side_by_side(tmp_path: Path, eye: str) -> None:
    """As from two grabbers. The right eye's picture is the mirror of the left eye's."""
    folder, _, _ = session(tmp_path / "lab", "throw_needle", stereo="LR")
    words = [*PERIOD, "--stereo", "--eye", eye]
    assert data_import(folder, tmp_path / "out", *words) == 0
    (file,) = list_episodes(tmp_path / "out")
    half = slice(0, 128) if eye == "left" else slice(128, None)
    pictures = [picture[:, half] for picture in decoded(next(folder.glob("*.mp4")))]
    masks = [segment_cable(picture)[:, :, None] for picture in pictures[::4]]
    assert np.array_equal(read_episode(file).observations, np.stack(masks))
    assert data_import(folder, tmp_path / "whole", *PERIOD) == 2  # 256 px wide, not 128


def _two_cameras(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text())
    index["videos"].append({"file": "room_260117_153206_throw_needle.mp4", "duration": 1.0})
    (folder / "index.json").write_text(json.dumps(index))


def _edit_stamps(folder: Path, stamps: Any) -> None:
    path = sidecar_of(folder)
    path.write_text(json.dumps({**json.loads(path.read_text()), "timestamps_ns": stamps}))


SPOILED = {
    "two cameras": (_two_cameras, "several cameras (endoscope, room): choose with --camera"),
    "no side-car": (lambda folder: sidecar_of(folder).unlink(), "has no side-car"),
    "half a side-car": (
        lambda folder: sidecar_of(folder).write_text('{"timestamps_ns": ['),
        "copy the session again",
    ),
    "two clocks": (
        lambda folder: _edit_stamps(folder, [1_700_000_000_000_000_000, *range(33, 49)]),
        "are not in order: they are of two clocks",
    ),
    "seconds": (lambda folder: _edit_stamps(folder, [1.7e9] * 17), "no list 'timestamps_ns'"),
    "too few stamps": (
        lambda folder: _edit_stamps(
            folder, json.loads(sidecar_of(folder).read_text())["timestamps_ns"][:-1]
        ),
        "17 frames, but 16 time stamps",
    ),
    "no topics": (
        lambda folder: (
            (folder / "index.json").write_text(
                json.dumps({**json.loads((folder / "index.json").read_text()), "rosbag": None})
            )
            and [bag.rename(folder / "moved") for bag in folder.glob("rosbag_*")]
        ),
        "the session has no bag",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_cannot_be_imported_has_a_reason(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, reason = SPOILED[case]
    folder, _, _ = session(tmp_path / "lab", "throw_needle")
    spoil(folder)
    assert data_import(folder, tmp_path / "out", *PERIOD) == 2
    said = capsys.readouterr().out
    assert reason in said
    assert "delete" not in said
    if case == "two cameras":
        words = [*PERIOD, "--camera", CAMERA]
        assert data_import(folder, tmp_path / "out", *words) == 0
