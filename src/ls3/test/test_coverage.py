"""Data that show no goal are refused; without violations or with few demonstrations, it is said."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import tiny_runs

from ls3.cli.cli import main
from ls3.runs.coverage import Coverage, coverage, online_coverage
from ls3_common.errors import DataError
from ls3_common.files import read_json
from ls3_common.model_facts import DATA, read_model_facts
from ls3_models.episodes import read_episodes

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

GOOD = Coverage(episodes=20, demonstrations=10, reached=10, violated=5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_runs.collect_data(tmp_path_factory.mktemp("data"))


def without(data: Path, source: str, out: Path) -> Path:
    """A copy of the data without the episodes of one kind."""
    shutil.copytree(data, out)
    for path in out.glob(f"{source}_*.h5"):
        path.unlink()
    return out


def test_what_is_complete_leaves_no_doubt() -> None:
    assert GOOD.check("data", trajectories=10) == []


@pytest.mark.parametrize(
    ("shown", "use_constraint", "words"),
    [
        (Coverage(20, 10, 10, 0), True, ["f_C learns nothing"]),
        (Coverage(20, 10, 10, 0), False, []),
        (Coverage(20, 9, 10, 5), True, ["9 demonstrations, fewer than K = 10"]),
        (Coverage(20, 0, 1, 0), True, ["delta_C means nothing", "0 demonstrations"]),
    ],
)
def test_each_doubt_is_said(shown: Coverage, use_constraint: bool, words: list[str]) -> None:
    doubts = shown.check("data", trajectories=10, use_constraint=use_constraint)
    assert len(doubts) == len(words)
    assert all(word in doubt for word, doubt in zip(words, doubts, strict=True))


def test_without_a_goal_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match=r"none of the 20 episodes reaches the goal(?s:.*)->"):
        Coverage(20, 10, 0, 5).check("data", trajectories=10)


def test_online_episodes_count_too() -> None:
    rows = [{"success": True, "violation": False}, {"success": False, "violation": True}]
    assert GOOD + online_coverage(rows) == Coverage(22, 10, 11, 6)


def test_training_and_inspection_say_it_and_the_model_keeps_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = without(data, "constraint", tmp_path / "few")
    words = tiny_runs.options("algorithm.trajectories=3", "planner_node.delta_constraint=0.2")
    run = tmp_path / "run"
    assert main(["train", *words, "--data", str(few), "--run", str(run)]) == 0
    warnings = re.findall("WARNING: .*", capsys.readouterr().err)
    assert len(warnings) == 2 and "f_C learns nothing" in warnings[0]
    assert "2 demonstrations, fewer than K = 3" in warnings[1]
    model = run / "offline_model"
    assert read_json(model / "manifest.json")[DATA] == vars(coverage(read_episodes(few)))
    assert read_model_facts(model).saw_violation is False
    assert main(["data", "inspect", str(few), "--domain", "navigation"]) == 0
    assert "WARNING: no episode violates a constraint" in capsys.readouterr().out


def test_training_refuses_data_without_a_goal(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aimless = without(data, "demonstration", tmp_path / "aimless")
    words = [*tiny_runs.options(), "--data", str(aimless), "--run", str(tmp_path / "run")]
    assert main(["train", *words]) == 2
    assert "none of the 3 episodes reaches the goal" in capsys.readouterr().err
