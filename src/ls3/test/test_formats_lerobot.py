"""LeRobot data sets, v2.1 by Open-H-Embodiment's rules and v3.0: there and back again."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")

from lerobot_sets import (
    LENGTHS,
    NOMINAL,
    PERIOD,
    as_other_people_do,
    edit_info,
    edit_tables,
    export,
    make_lab,
    masks,
    record,
    to_v3,
)
from pyarrow import parquet
from recorded import Recording
from test_data_import import data_import, rows
from test_data_video import decoded

from ls3.data.open_h_card import splits
from ls3_models.episodes import list_episodes, read_episode, write_episode

pytestmark = pytest.mark.background


@pytest.mark.parametrize("kind", ["lerobot", "open_h"])
def test_steps_come_back_as_they_went(tmp_path: Path, kind: str) -> None:
    """Also the last state, which no row holds, and where the goal is reached in it."""
    truth = masks(tmp_path / "data")
    assert export(kind, tmp_path / "data", tmp_path / kind) == 0
    assert data_import(tmp_path / kind, tmp_path / "back") == 0
    found = [read_episode(path) for path in list_episodes(tmp_path / "back")]
    if kind == "open_h":  # the successful episode comes first
        found.reverse()
    assert len(found) == len(LENGTHS)
    for one, expected in zip(found, truth, strict=True):
        assert one.source == expected.source
        for name in ("observations", "actions", "rewards", "constraint", "success"):
            assert np.array_equal(getattr(one, name), getattr(expected, name)), name


@pytest.mark.parametrize("kind", ["lerobot", "open_h"])
def test_an_episode_of_one_step_comes_back(tmp_path: Path, kind: str) -> None:
    """One row does not tell how long a step takes."""
    whole = masks(tmp_path / "made")[1]
    last = {n: getattr(whole, n)[-1:] for n in ("actions", "rewards", "constraint", "success")}
    short = dataclasses.replace(whole, observations=whole.observations[-2:], **last)
    write_episode(tmp_path / "data", "short", short)
    assert export(kind, tmp_path / "data", tmp_path / kind) == 0
    assert data_import(tmp_path / kind, tmp_path / "back") == 0
    (found,) = (read_episode(path) for path in list_episodes(tmp_path / "back"))
    assert np.array_equal(found.actions, short.actions) and found.success.all()


def test_open_h_says_where_the_data_fall_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks(tmp_path / "data")
    assert export("open_h", tmp_path / "data", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "give --recordings for every recorded frame" in said
    assert "2 frames per second; Open-H suggests 20 or more" in said
    assert "pictures of 64x64 px; Open-H suggests 480 or more" in said
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"]) == ("v2.1", 2)
    assert info["splits"] == {"train": "0:1", "success": "0:1", "failure": "1:2"}
    assert {"observation.state", "action", "observation.images.mask"} <= set(info["features"])
    table = parquet.read_table(tmp_path / "out/data/chunk-000/episode_000000.parquet")
    state, action = (np.array(table[n].to_pylist()) for n in ("observation.state", "action"))
    assert np.allclose(state[0], 0) and np.allclose(np.diff(state, axis=0), action[:-1])
    readme = (tmp_path / "out/meta/README.md").read_text()
    assert "## Data Synchronization Approach" in readme


def test_splits_of_open_h() -> None:
    """Those of many episodes, of few, and of failures alone."""
    many = {"train": "0:16", "val": "16:18", "test": "18:20", "success": "0:20", "failure": "20:25"}
    assert splits(20, 25) == many
    assert splits(3, 3) == {"train": "0:3", "success": "0:3"}
    assert splits(0, 2) == {"failure": "0:2"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def exported(lab: Path, tmp_path: Path) -> Path:
    """A copy that the test may spoil."""
    return Path(shutil.copytree(lab / "export", tmp_path / "export"))


def test_every_recorded_frame_is_a_row(lab: Path) -> None:
    info = json.loads((lab / "export/meta/info.json").read_text())
    camera = info["features"]["observation.images.camera"]
    assert (info["fps"], camera["shape"], camera["dtype"]) == (10, [128, 128, 3], "video")
    assert info["total_frames"] == 2 * 17  # of 4 steps: 3 frames between two states
    for index in range(2):
        place = f"chunk-000/episode_{index:06d}.parquet"
        table = parquet.read_table(lab / "export/data" / place)
        time = np.array(table["observation.meta.time"].to_pylist())
        assert np.allclose(time[:5], [0, 0.1, 0.2, 0.35, 0.45])
        assert np.allclose(table["timestamp"].to_pylist(), np.arange(17) / 10)
        episode = read_episode(list_episodes(lab / "data")[index])
        place = np.array(table["action"].to_pylist())[::4, :2]
        assert np.allclose(np.diff(place, axis=0), episode.actions, rtol=0, atol=1e-6)
        after = np.append(np.repeat(episode.success, 4), episode.success[-1])
        assert table["next.success"].to_pylist() == after.tolist()
    video = "videos/chunk-000/observation.images.camera/episode_000000.mp4"
    assert len(decoded(lab / "export" / video)) == 17


def _as_av1(root: Path) -> None:
    """As lerobot itself encodes."""
    for path in root.glob("videos/**/*.mp4"):
        old = path.rename(path.with_suffix(".old.mp4"))
        words = ["-loglevel", "error", "-i", str(old), "-c:v", "libsvtav1", "-crf", "20", str(path)]
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *words], check=True, capture_output=True)
        old.unlink()


@pytest.mark.parametrize("version", ["v2.1", "v2.1 in AV1", "v3.0"])
def test_poses_become_the_actions_of_a_recording(lab: Path, tmp_path: Path, version: str) -> None:
    """The same as from the bag itself, by the arm's setpoints; labels are those of the rows."""
    source = lab / "export"
    if version.endswith("AV1"):
        source = Path(shutil.copytree(source, tmp_path / "av1"))
        _as_av1(source)
    elif version == "v3.0":
        to_v3(lab / "export", tmp_path / "v3")
        source = tmp_path / "v3"
    assert data_import(source, tmp_path / "back", *PERIOD) == 0
    for file, of_bag in zip(
        list_episodes(tmp_path / "back"), list_episodes(lab / "data"), strict=True
    ):
        found, expected = read_episode(file), read_episode(of_bag)
        assert np.allclose(found.actions, expected.actions, rtol=0, atol=1e-6)
        assert np.array_equal(found.success, expected.success)
        assert np.array_equal(found.constraint, expected.constraint)
        both = (found.observations > 0) & (expected.observations > 0)
        assert both.sum() > 0.8 * (expected.observations > 0).sum()
        assert found.source == expected.source
    assert {row["actions_from"] for row in rows(tmp_path / "back")} == {"action"}
    assert {row["labels_from"] for row in rows(tmp_path / "back")} == {"next.success"}


@pytest.mark.parametrize(
    ("split", "source", "success"),
    [("failure", "random", False), ("recovery", "demonstration", True)],
)
def test_splits_of_other_people_say_how_episodes_ended(
    exported: Path, tmp_path: Path, split: str, source: str, success: bool
) -> None:
    as_other_people_do(exported)
    edit_info(exported, lambda info: info.update(splits={"train": "0:1", split: "0:2"}))
    assert data_import(exported, tmp_path / "none", *NOMINAL[:2]) == 2  # which arm?
    assert data_import(exported, tmp_path / "out", *NOMINAL) == 0
    for file in list_episodes(tmp_path / "out"):
        found = read_episode(file)
        assert (found.source, found.succeeded) == (source, success)
        assert np.abs(found.actions).max() > 1e-3
    assert {row["labels_from"] for row in rows(tmp_path / "out")} == {"split"}


def test_without_outcomes_colours_label(exported: Path, tmp_path: Path) -> None:
    as_other_people_do(exported)
    edit_info(exported, lambda info: info.update(splits={"train": "0:2"}))
    assert data_import(exported, tmp_path / "out", *NOMINAL) == 0
    assert {row["labels_from"] for row in rows(tmp_path / "out")} == {"colour"}


def test_displacements_called_x_y_z_are_no_positions(exported: Path, tmp_path: Path) -> None:
    """Half a metre between action and state: the action is relative, so the state counts."""

    def relative(columns: dict[str, Any]) -> dict[str, Any]:
        moved = np.diff(np.array(columns["action"]), axis=0, append=0.0)
        columns["action"] = moved.tolist()
        return columns

    edit_tables(exported, relative)
    assert data_import(exported, tmp_path / "out", *PERIOD) == 0
    assert {row["actions_from"] for row in rows(tmp_path / "out")} == {"observation.state"}
    first = read_episode(list_episodes(tmp_path / "out")[0])
    assert np.abs(first.actions).max() < 0.016


def test_recordings_of_other_episodes_are_refused(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another bag; and episodes that no recording was made of."""
    record(tmp_path / "other", steps=2)
    words = ["--recordings", str(tmp_path / "other")]
    assert export("open_h", lab / "data", tmp_path / "out", *words) == 2
    assert "the recording of episode bag/0 is not among --recordings" in capsys.readouterr().err
    masks(tmp_path / "collected")
    words = ["--recordings", str(lab / "bag")]
    assert export("open_h", tmp_path / "collected", tmp_path / "out", *words) == 2
    assert "the recording of episode number 0" in capsys.readouterr().err
    assert export("lerobot", lab / "data", tmp_path / "out", *words) == 2
    assert "the format lerobot holds one frame per step" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_frames_without_poses_are_not_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bag without setpoints, and one in which they end too early."""

    def silence(recording: Recording, number: int, step: int) -> None:
        if (number, step) == (1, 2):
            recording.without = frozenset({"PSM1/setpoint_cp"})

    for name, settings, reason in (
        ("never", {"without": frozenset({"PSM1/setpoint_cp"})}, "no setpoint_cp"),
        ("early", {"spoil": silence}, "no pose of the arm within 0.1 s of a frame"),
    ):
        record(tmp_path / name, **settings)
        assert data_import(tmp_path / name, tmp_path / f"{name}_data") == 0
        words = ["--recordings", str(tmp_path / name)]
        assert export("open_h", tmp_path / f"{name}_data", tmp_path / "out", *words) == 2
        assert reason in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
