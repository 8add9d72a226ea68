"""`ls3 new-task` writes the example under another name, and refuses names that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ls3.cli.cli import main
from ls3.runs.domains import load_domain
from ls3.studies import sweep

pytestmark = pytest.mark.background

EXAMPLE = Path(__file__).parents[3] / "examples/own_task"


def test_the_example_is_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-task", "own_task"]) == 0
    assert "ls3 collect --domain own_task --config own_task.yaml" in capsys.readouterr().out
    written = {path.name: path.read_text() for path in Path("own_task").iterdir()}
    assert written == {path.name: path.read_text() for path in EXAMPLE.glob("own_task.*")}
    assert len(written) == 3


def test_the_name_stands_for_the_examples(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    assert main(["new-task", "peg_2", "--out", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {
        "peg_2.py",
        "peg_2.yaml",
        "peg_2.launch.py",
    }
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "own_task" not in text and "OwnTask" not in text
    assert 'gymnasium.register("Peg2-v0", entry_point=Peg2)' in text
    assert load_domain("peg_2", folder / "peg_2.yaml").spec.environment == "peg_2:Peg2-v0"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("My-Task", "is no name of a Python module"),
        ("2nd", "is no name of a Python module"),
        ("yaml", "is the name of a Python module"),
        ("navigation", "is a task that is here already"),
        ("there", "exists"),
    ],
)
def test_names_that_cannot_be_are_refused(
    name: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    assert main(["new-task", name]) == 2
    said = capsys.readouterr().err
    assert text in said and "\n  -> " in said
    assert not list(Path("there").iterdir())


def test_a_sweep_takes_a_task_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    config = EXAMPLE / "own_task.yaml"
    plan = sweep.SweepPlan(["own_task"], ["ls3"], [0, 1], config=config)
    tasks = plan.tasks()
    assert [task.words[0] for task in tasks] == ["collect", "train", "train", "learn", "learn"]
    for task in tasks:
        assert task.words[task.words.index("--config") + 1] == str(config)
    words = ["sweep", "--domains", "navigation", "reacher", "--config", str(config)]
    assert main(words) == 2
    assert "--config is of one task" in capsys.readouterr().err
