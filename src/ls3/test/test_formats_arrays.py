"""Data of another program for a task of one's own: npz, HDF5 of robomimic, and bags by topics."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import recorded

from ls3.cli.commands import run
from ls3.learning.environment import behaviour, run_episode
from ls3_common.shared import find_shared
from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

TEMPLATE = find_shared("own_task")
CONFIG = TEMPLATE / "own_task.yaml"
STEPS = 14
ACTIONS = "velocity_controller/commands"


@pytest.fixture(scope="module")
def shown() -> list[Episode]:
    """What another program has recorded: a demonstration, and an episode that violates."""
    spec = importlib.util.spec_from_file_location("own_task", TEMPLATE / "own_task.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    env = module.OwnTask()
    kinds = {"demonstration": 3, "constraint": 4}
    return [
        run_episode(env, behaviour(env, kind, seed), source=kind, seed=seed, steps=STEPS)
        for kind, seed in kinds.items()
    ]


def imported(out: Path, *words: Any) -> list[Episode]:
    options = ["--domain", "own_task", "--config", str(CONFIG), "--out", str(out)]
    assert run(["data", "import", *map(str, words), *options]) == 0
    return [read_episode(path) for path in list_episodes(out)]


def same(found: list[Episode], shown: list[Episode]) -> None:
    assert len(found) == len(shown)
    for one, other in zip(found, shown, strict=True):
        assert one.source == other.source
        for name in ("observations", "actions", "success", "constraint", "rewards"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_the_episodes_show_goal_and_violation(shown: list[Episode]) -> None:
    assert [(one.succeeded, one.violated) for one in shown] == [(True, False), (False, True)]


def arrays(episode: Episode, **changes: Any) -> dict[str, Any]:
    names = ("observations", "actions", "success", "constraint", "source")
    return {name: getattr(episode, name) for name in names} | changes


def test_npz(shown: list[Episode], tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    for index, episode in enumerate(shown):
        np.savez_compressed(folder / f"episode_{index}.npz", **arrays(episode))
    same(imported(tmp_path / "data", folder), shown)
    # without the last picture the last action is left out
    np.savez(tmp_path / "short.npz", **arrays(shown[0], observations=shown[0].observations[:-1]))
    (short,) = imported(tmp_path / "short", tmp_path / "short.npz")
    assert np.array_equal(short.actions, shown[0].actions[:-1])
    # pictures of another size are cropped and fitted
    wide = np.pad(np.repeat(np.repeat(shown[0].observations, 2, 1), 2, 2), 20 * FRAME)
    np.savez(tmp_path / "wide.npz", **arrays(shown[0], observations=wide))
    crop = ("--crop", 20, 20, 128, 128)
    same(imported(tmp_path / "wide", tmp_path / "wide.npz", *crop), shown[:1])


FRAME = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])
"""The axes of pictures (T, h, w, c) to which a border is added."""


def robomimic(path: Path, shown: list[Episode], leave_out: tuple[str, ...] = ()) -> Path:
    with h5py.File(path, "w") as file:
        for index, episode in enumerate(shown):
            demo = file.create_group(f"data/demo_{10 * index}")
            demo.attrs["num_samples"] = len(episode)
            demo.attrs["source"] = episode.source
            content = {
                "actions": episode.actions.astype(np.float64),
                "rewards": episode.success.astype(float),
                "dones": episode.success.astype(int),
                "constraint": episode.constraint,
                "obs/agentview_image": episode.observations[:-1],
                "obs/object": np.zeros((len(episode), 7)),
                "next_obs/agentview_image": episode.observations[1:],
            }
            for name in content.keys() - set(leave_out):
                demo[name] = content[name]
    return path


@pytest.mark.parametrize("leave_out", [(), ("rewards",)])
def test_robomimic(shown: list[Episode], tmp_path: Path, leave_out: tuple[str, ...]) -> None:
    path = robomimic(tmp_path / "image.hdf5", shown, leave_out)
    same(imported(tmp_path / "data", path), shown)
    same(imported(tmp_path / "named", path, "--camera", "agentview_image"), shown)


def test_what_the_file_does_not_say_is_said(
    shown: list[Episode], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = ("rewards", "dones", "constraint", "next_obs/agentview_image")
    path = robomimic(tmp_path / "bare.hdf5", shown[:1], left_out)
    labels = tmp_path / "labels.yaml"
    labels.write_text("bare/0: {success_from: 12}\n")
    (bare,) = imported(tmp_path / "data", path, "--labels", labels)
    assert len(bare) == STEPS - 1 and bare.steps_to_goal == 12
    said = capsys.readouterr().out
    assert "nothing says which states reach the goal: name them in --labels" in said
    assert "nothing says which states violate" in said


def write_bag(path: Path, shown: list[Episode], *, marks: bool) -> Path:
    """A bag as the graph of one's own task leaves it: larger pictures, commands without stamps."""
    with recorded.Recording(path) as bag:
        for episode in shown:
            if marks:
                bag.mark(f"start {episode.source}")
            bag.robot += 10 * recorded.MS
            for t in range(len(episode) + 1):
                pixels = np.pad(episode.observations[t], ((8, 8), (30, 10), (0, 0)))
                done = t > 0 and bool(episode.success[t - 1])
                bad = t > 0 and bool(episode.constraint[t - 1])
                for _ in range(2):  # gym_node repeats the newest frame
                    bag.frame(pixels, done, bad)
                    bag.robot += 20 * recorded.MS
                if t < len(episode):
                    bag.send(ACTIONS, multi_array(episode.actions[t]))
                    bag.robot += 20 * recorded.MS
            if marks:
                bag.mark("stop")
            bag.robot += 3000 * recorded.MS
    return path


def multi_array(values: np.ndarray) -> Any:
    return recorded.make("std_msgs/msg/Float64MultiArray", data=values.astype(np.float64))


BY_TOPICS = ("--action-topic", f"/{ACTIONS}", "--crop", 30, 8, 64, 64)


def test_bag(shown: list[Episode], tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", shown, marks=True)
    same(imported(tmp_path / "data", bag, *BY_TOPICS), shown)
    # a second import finds the same; another crop replaces the episodes
    before = {path: path.stat().st_mtime_ns for path in list_episodes(tmp_path / "data")}
    imported(tmp_path / "data", bag, *BY_TOPICS)
    assert {path: path.stat().st_mtime_ns for path in list_episodes(tmp_path / "data")} == before
    moved = imported(tmp_path / "data", bag, *BY_TOPICS[:2], "--crop", 20, 0, 80, 80)
    assert len(moved) == 2
    assert not np.array_equal(moved[0].observations, shown[0].observations)


def test_bag_without_marks_is_one_episode(shown: list[Episode], tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", shown[:1], marks=False)
    (found,) = imported(tmp_path / "data", bag, *BY_TOPICS)
    assert np.array_equal(found.actions, shown[0].actions)
    assert found.source == "demonstration"


def rejected(tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str], *words: Any) -> str:
    options = ["--domain", "own_task", "--config", str(CONFIG), "--out", str(tmp_path / "none")]
    assert run(["data", "import", str(path), *options, *map(str, words)]) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert not list_episodes(tmp_path / "none")
    return printed.out + printed.err


Spoil = Callable[[dict[str, Any]], dict[str, Any]]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "no actions": (
        lambda a: {k: v for k, v in a.items() if k != "actions"},
        "no array 'actions' among constraint, observations, source, success",
    ),
    "float": (lambda a: a | {"observations": a["observations"] / 255}, "float64, not uint8"),
    "vector": (lambda a: a | {"observations": a["observations"][:, 0, 0]}, "pictures (15, 3)"),
    "two actions": (lambda a: a | {"actions": a["actions"][:, :2]}, "of 2 numbers, the task has 3"),
    "too far": (lambda a: a | {"actions": a["actions"] * 3}, "the task allows -0.08 to 0.08"),
    "not finite": (lambda a: a | {"actions": a["actions"] * np.nan}, "an action is not finite"),
    "labels": (lambda a: a | {"success": a["success"][1:]}, "labels (13,) for 14 actions"),
    "pictures": (lambda a: a | {"observations": a["observations"][3:]}, "12 pictures for 14 act"),
    "flat": (lambda a: a | {"observations": a["observations"][:, :32]}, "64 x 32 px are no square"),
    "channels": (lambda a: a | {"observations": a["observations"][..., :2]}, "of 2 channels"),
    "objects": (lambda a: a | {"actions": np.array([None] * 14)}, "Object arrays cannot be loaded"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_archive_is_rejected_with_the_reason(
    shown: list[Episode], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, reason = SPOILED[name]
    np.savez(tmp_path / "one.npz", **spoil(arrays(shown[0])))
    assert reason in rejected(tmp_path, tmp_path / "one.npz", capsys)


def test_damaged_and_unclear_files(
    shown: list[Episode], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\3\4 no archive")
    assert "no archive of NumPy" in rejected(tmp_path, damaged, capsys)
    path = robomimic(tmp_path / "two.hdf5", shown)
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            demo["obs/wrist_image"] = demo["obs/agentview_image"][...]
    said = rejected(tmp_path, path, capsys)
    assert "pictures agentview_image, wrist_image in obs (two.hdf5: choose with --camera)" in said
    path = robomimic(tmp_path / "states.hdf5", shown, ("obs/agentview_image",))
    assert "no pictures in obs" in rejected(tmp_path, path, capsys)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "this domain has joints only"),
        (("--action-topic", "/none"), "no topic '/none'"),
        (("--action-topic", "/episode_mark"), "has no data: choose with --action-fields"),
        ((*BY_TOPICS, "--action-fields", "data.0", "data.1"), "of 2 numbers, the task has 3"),
        (("--action-topic", f"/{ACTIONS}"), "104 x 80 px are no square: --crop"),
        ((*BY_TOPICS[:2], "--crop", 90, 8, 64, 64), "the crop reaches beyond the picture"),
        ((*BY_TOPICS, "--camera", "/none"), "no topic '/none'"),
    ],
)
def test_a_bag_by_topics_that_are_not_there(
    shown: list[Episode],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[Any, ...],
    reason: str,
) -> None:
    bag = write_bag(tmp_path / "bag", shown[:1], marks=True)
    assert reason in rejected(tmp_path, bag, capsys, *words)


def test_two_actions_of_one_picture_are_no_steps(
    shown: list[Episode], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded.Recording(tmp_path / "bag") as bag:
        bag.frame(shown[0].observations[0], False, False)
        for action in shown[0].actions[:2]:
            bag.robot += recorded.MS
            bag.send(ACTIONS, multi_array(action))
    said = rejected(tmp_path, tmp_path / "bag", capsys, *BY_TOPICS[:2])
    assert "no picture between actions 0 and 1: record one action per step" in said


def test_the_page_s_scripts_write_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[3] / "docs/own_data.md"
    monkeypatch.chdir(tmp_path)
    archive, episode = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    for script in (archive, episode):
        subprocess.run([sys.executable, "-c", script], check=True)
    (found,) = imported(tmp_path / "data", "episode_0.npz")
    (written,) = [read_episode(path) for path in list_episodes("data/my_task")]
    same([found], [written])
    assert found.steps_to_goal == 17
