"""`ls3 demonstrations` without a graph: bags are written as one would record them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from recorded import Recording, record_episode, simulation

from ls3.cli.commands import run
from ls3.data import bag_sessions
from ls3.data.bag_sessions import Sessions, interleaved
from ls3.data.import_report import summarise_import
from ls3_common.seeds import seed_of
from ls3_models.episodes import list_episodes, read_episode

pytestmark = pytest.mark.background

WORDS = ["--demonstrations", "2", "--random", "1", "--constraint", "0", "--per-bag", "2"]


class Operator:
    """In the place of the launch: records the script's episodes into a bag.

    `lost` is how many episodes at the end of each bag, in turn, are cut off in their middle.
    """

    def __init__(self, lost: Sequence[int] = ()) -> None:
        self.lost, self.played = list(lost), Counter[tuple[str, int]]()

    def __call__(self, command: list[str], _environment: Mapping[str, str]) -> None:
        given = dict(word.split(":=") for word in command if ":=" in word)
        script = json.loads(Path(given["script"]).read_text())
        cut = len(script) - (self.lost.pop(0) if self.lost else 0)
        with simulation() as env, Recording(Path(given["out"])) as recording:
            for number, entry in enumerate(script[: cut + 1]):
                kind, seed = entry["kind"], entry["seed"]
                recording.mark(f"start {kind}")
                recording.wait(1)
                steps = int(given["steps"]) if number < cut else 5
                record_episode(recording, env, kind, seed, number, steps)
                recording.wait(1)
                if number < cut:
                    recording.mark("stop")
                    self.played[kind, seed] += 1
                recording.wait(2000)


def record(out: Path) -> int:
    return run(["demonstrations", "--only", "record", "--out", str(out), *WORDS])


def scripts(out: Path) -> list[list[dict[str, object]]]:
    return [json.loads(path.read_text()) for path in sorted((out / "bags").glob("*.json"))]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Operator]]:
    """Two bags of two episodes each; the second episode of the first is cut off."""
    operator, out = Operator(lost=[1]), tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bag_sessions, "launch", operator)
        assert record(out) == 0
        yield out, operator


def test_episodes_that_a_killed_recorder_lost_are_recorded_again(
    study: tuple[Path, Operator],
) -> None:
    out, operator = study
    assert [len(script) for script in scripts(out)] == [2, 2]
    summary = summarise_import(out / "data")
    assert summary["bags"] == 2
    assert summary["sources"] == {"demonstration": 2, "random": 1}
    assert summary["successful_demonstrations"] == 2
    assert summary["rejected"] == 1
    assert set(operator.played.values()) == {1}, "none twice"


def test_the_arrays_are_those_of_ls3_collect_with_the_same_seeds(
    study: tuple[Path, Operator], tmp_path: Path
) -> None:
    out, _ = study
    words = ["--data", str(tmp_path), "--set", "algorithm.demonstrations=2"]
    words += ["--set", "algorithm.random=1", "--set", "algorithm.constraint=0"]
    # the operator's simulation here is the plain one
    words += ["--set", "environment.start_jitter=0", "--set", "environment.start_offset=0"]
    assert run(["collect", *words]) == 0
    collected = {episode.seed: episode for episode in map(read_episode, list_episodes(tmp_path))}
    names = sorted((out / "bags").glob("*.json"))
    script = {path.stem: entries for path, entries in zip(names, scripts(out), strict=True)}
    files = list_episodes(out / "data")
    assert len(files) == len(collected) == 3
    for file in files:
        found = read_episode(file)
        made = found.attributes["import"]
        entry = script[made["bag"]][made["index"]]
        expected = collected.pop(entry["seed"])
        assert found.source == expected.source == entry["kind"]
        assert np.array_equal(found.observations, expected.observations)
        assert np.array_equal(found.actions, expected.actions)
        assert np.array_equal(found.rewards, expected.rewards)
        assert np.array_equal(found.success, expected.success)
        assert np.array_equal(found.constraint, expected.constraint)


def test_an_import_that_was_stopped_is_made_up_for(study: tuple[Path, Operator]) -> None:
    out, operator = study
    before = operator.played.copy()
    list_episodes(out / "data")[0].unlink()
    assert record(out) == 0
    assert len(list_episodes(out / "data")) == 3
    assert operator.played == before, "its bag was read again, and nothing else recorded"


def test_what_missed_its_goal_is_replaced_by_another_attempt(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "bags", tmp_path / "data", 5)
    first, second = (seed_of(5, f"demonstration/{i}", 0) for i in range(2))
    want = ("demonstration", 0)
    assert sessions._next_attempt(want, {}) == ("demonstration", first)
    assert sessions._next_attempt(want, {("demonstration", first): "random"}) == (
        "demonstration",
        second,
    )
    assert sessions._next_attempt(want, {("demonstration", first): "demonstration"}) is None


def test_recordings_of_which_nothing_comes_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bag_sessions, "launch", lambda _command, _environment: None)
    assert record(tmp_path) == 2
    assert "3 sessions in a row yielded no episode" in capsys.readouterr().err


def test_a_part_of_the_script_has_the_shares_of_the_whole() -> None:
    order = interleaved({"demonstration": 40, "random": 20, "constraint": 0})
    assert Counter(kind for kind, _ in order) == {"demonstration": 40, "random": 20}
    assert Counter(kind for kind, _ in order[:30]) == {"demonstration": 20, "random": 10}
    assert [i for kind, i in order if kind == "random"] == list(range(20))


def test_numbers_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["demonstrations", "--out", str(tmp_path), "--per-bag", "0"]
    assert run(words) == 2
    assert "--per-bag is less than 1" in capsys.readouterr().err
