"""Bags of simulated episodes become the arrays that the simulation itself gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import STEP_MS, Recording, record_episode, simulation

from ls3.cli.commands import run
from ls3.runs.dataset import MARKER
from ls3_common import topics
from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

KINDS = ("demonstration", "constraint")
SEEDS = (3, 8)
"""In the second the cable touches the obstacle; contact of the tool is not seen by colour."""


def content(path: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def data_import(bag: Path, out: Path, *words: str) -> int:
    """`ls3 data import`; the bag must be as before."""
    before = content(bag.parent if bag.is_file() else bag)
    code = run(["data", "import", str(bag), "--out", str(out), *words])
    assert content(bag.parent if bag.is_file() else bag) == before
    return code


def rows(out: Path) -> list[dict[str, Any]]:
    document = json.loads((out / "import.json").read_text())
    return [row for bag in document.values() for row in bag["episodes"]]


def verdicts(out: Path) -> list[str]:
    return [row["verdict"] for row in rows(out)]


def reasons(out: Path) -> list[str]:
    return [row["reason"] for row in rows(out)]


def make_bag(path: Path, steps: int = 50, marks: bool = True, **settings: Any) -> list[Episode]:
    """A demonstration and an episode that touches the obstacle."""
    truth = []
    with simulation() as env, Recording(path, **settings) as recording:
        for number, (kind, seed) in enumerate(zip(KINDS, SEEDS, strict=True)):
            if marks:
                recording.mark("start")
                recording.wait(1)
            truth.append(record_episode(recording, env, kind, seed, number, steps))
            recording.wait(1)
            if marks:
                recording.mark("stop")
            recording.wait(2000)
    return truth


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Episode]]:
    path = tmp_path_factory.mktemp("bags") / "lab"
    return path, make_bag(path)


def assert_same(found: Episode, truth: Episode, tolerance: float = 0.0) -> None:
    assert np.array_equal(found.observations, truth.observations)
    assert np.allclose(found.actions, truth.actions, rtol=0, atol=tolerance)
    assert found.actions.dtype == truth.actions.dtype
    assert np.array_equal(found.rewards, truth.rewards)
    assert np.array_equal(found.constraint, truth.constraint)
    assert np.array_equal(found.success, truth.success)
    assert found.source == truth.source


def test_commands_give_what_the_simulation_gives(
    lab: tuple[Path, list[Episode]], tmp_path: Path
) -> None:
    bag, truth = lab
    assert truth[0].succeeded and truth[1].violated
    assert data_import(bag, tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / MARKER).read_text())["domain"] == "cable_routing"
    files = list_episodes(tmp_path / "out")
    assert len(files) == 2
    for file, expected in zip(files, truth, strict=True):
        found = read_episode(file)
        assert_same(found, expected)
        made = found.attributes["import"]
        assert (made["bag"], made["actions_from"]) == ("lab", "commands")
        assert made["labels_from"] == "task_state"
        assert made["last_stamp"] - made["first_stamp"] == 50 * STEP_MS * 10**6
        assert made["settings"]["settle"] == 0.1


def test_setpoints_give_the_same_actions(lab: tuple[Path, list[Episode]], tmp_path: Path) -> None:
    bag, truth = lab
    words = ["--actions", "setpoints", "--period", str(STEP_MS / 1000)]
    assert data_import(bag, tmp_path / "out", *words) == 0
    demonstration, violation = map(read_episode, list_episodes(tmp_path / "out"))
    assert_same(demonstration, truth[0], tolerance=1e-7)
    assert np.array_equal(violation.observations, truth[1].observations)
    moving = int(truth[1].constraint.argmax())  # then the simulation is frozen, arm and all
    expected = truth[1].actions[:moving]
    assert np.allclose(violation.actions[:moving], expected, rtol=0, atol=1e-7)


def test_labels_by_colour_where_no_task_state_is_recorded(tmp_path: Path) -> None:
    truth = make_bag(tmp_path / "bag", without=frozenset({"task_state"}))
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    demonstration, violation = map(read_episode, list_episodes(tmp_path / "out"))
    assert [row["labels_from"] for row in rows(tmp_path / "out")] == ["colour", "colour"]
    assert demonstration.source == "demonstration"
    assert demonstration.steps_to_goal is not None and truth[0].steps_to_goal is not None
    assert abs(demonstration.steps_to_goal - truth[0].steps_to_goal) <= 1
    assert not demonstration.violated
    assert violation.source == "constraint"
    assert abs(int(violation.constraint.argmax()) - int(truth[1].constraint.argmax())) <= 1


def test_episodes_without_marks_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    truth = make_bag(tmp_path / "bag", steps=3, marks=False)
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    for file, expected in zip(list_episodes(tmp_path / "out"), truth, strict=True):
        found = read_episode(file)
        assert found.source == "online"  # as episode_node calls what a planner did
        assert np.array_equal(found.observations, expected.observations)
        assert np.array_equal(found.actions, expected.actions)
    assert data_import(tmp_path / "bag", tmp_path / "out", "--source", "random") == 0
    assert {read_episode(file).source for file in list_episodes(tmp_path / "out")} == {"random"}


@pytest.mark.parametrize("marks", [False, True])
def test_the_way_back_between_two_episodes_is_no_episode(tmp_path: Path, marks: bool) -> None:
    truth = []
    with simulation() as env, Recording(tmp_path / "bag") as recording:
        for number in (0, 1):
            if marks:
                recording.mark("start")
                recording.wait(1)
            truth.append(record_episode(recording, env, "demonstration", 3 + number, number, 3))
            recording.wait(1)
            for step in range(2):  # as arm_node answers episode_node, also before the mark
                stamp = recording.robot
                recording.command(topics.RETREAT_EPISODE, step, stamp, np.array([-0.005, 0.0]))
                recording.motion(topics.RETREAT_EPISODE, step, moving=True)
                recording.wait(200)
                recording.motion(topics.RETREAT_EPISODE, step, moving=False)
                recording.wait(200)
                if marks and step == 0:
                    recording.mark("stop")
            recording.wait(2000)
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    for file, expected in zip(list_episodes(tmp_path / "out"), truth, strict=True):
        assert np.array_equal(read_episode(file).actions, expected.actions)


def test_again_writes_only_what_is_missing_or_asked_for_differently(
    lab: tuple[Path, list[Episode]], tmp_path: Path
) -> None:
    bag, out = lab[0], tmp_path / "out"
    assert data_import(bag, out, "--dry-run") == 0
    assert not out.exists()
    assert data_import(bag, out) == 0
    first, second = list_episodes(out)
    before = [row | {"verdict": "present"} for row in rows(out)]
    written = [path.stat().st_mtime_ns for path in (first, second)]
    assert data_import(bag, out) == 0
    assert rows(out) == before
    assert [path.stat().st_mtime_ns for path in (first, second)] == written
    second.unlink()  # as where an import was killed
    assert data_import(bag, out) == 0
    assert [row["verdict"] for row in rows(out)] == ["present", "imported"]
    assert first.stat().st_mtime_ns == written[0]
    assert data_import(bag, out, "--source", "random") == 0
    assert [row["verdict"] for row in rows(out)] == ["imported", "imported"]
    assert list_episodes(out) == [first, second]


def test_labels_file_has_the_last_word(
    lab: tuple[Path, list[Episode]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, out, labels = lab[0], tmp_path / "out", tmp_path / "labels.yaml"
    assert data_import(bag, out) == 0
    labels.write_text("lab/0: {success_from: never}\nlab/1: {discard: true}\nlab/7: {}\n")
    assert data_import(bag, out, "--labels", str(labels)) == 0
    assert "no such episode in these recordings: lab/7" in capsys.readouterr().out
    (path,) = list_episodes(out)  # the other, imported before, is gone
    assert not read_episode(path).success.any()
    assert read_episode(path).source == "random"
    assert rows(out)[1]["reason"] == "by the operator's labels file"
    labels.write_text("lab/0: {success_from: 3, violation_from: 50, source: online}\n")
    assert data_import(bag, out, "--labels", str(labels)) == 0
    episode = read_episode(list_episodes(out)[0])
    assert episode.success.tolist() == [False] * 2 + [True] * 47 + [False]
    assert episode.rewards.tolist() == [-1.0] * 2 + [0.0] * 47 + [-1.0]
    assert episode.constraint.tolist() == [False] * 49 + [True]
    assert episode.source == "online"
    labels.write_text("lab/0: {succes_from: 3}\n")
    assert data_import(bag, out, "--labels", str(labels)) == 2
    assert "'succes_from: 3' is not a correction" in capsys.readouterr().err


def test_what_the_operator_marked(tmp_path: Path) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        if step == 2:
            recording.mark("success" if number == 0 else "discard")

    make_bag(tmp_path / "bag", steps=4, spoil=spoil)
    assert data_import(tmp_path / "bag", tmp_path / "out") == 0
    (path,) = list_episodes(tmp_path / "out")
    episode = read_episode(path)
    assert episode.success.tolist() == [False, True, True, True]  # the state it was seen in
    assert episode.source == "demonstration"
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["imported", "discarded"]
