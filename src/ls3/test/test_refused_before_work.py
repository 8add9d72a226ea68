"""What cannot succeed is refused before any work, and the remedy names the domain at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ls3.cli.commands import run
from ls3_common.files import refuse_unwritable
from ls3_sim import registration

pytestmark = pytest.mark.background

NAVIGATION = ("--domain", "navigation")


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("an environment is made")

    monkeypatch.setattr(registration, "make_environment", work)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "measure"])
@pytest.mark.parametrize("count", ["0", "-3"])
def test_no_episodes(capsys: pytest.CaptureFixture[str], command: str, count: str) -> None:
    error = refused(capsys, command, *NAVIGATION, "--episodes", count)
    assert "--episodes" in error and "give at least 1" in error


def test_a_demonstration_study_evaluates_at_least_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    error = refused(capsys, "demonstrations", "--out", str(tmp_path / "x"), "--episodes", "0")
    assert "--episodes" in error
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("command", ["evaluate", "measure"])
def test_a_place_that_takes_no_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file/figures.json", Path("/proc/figures.json")):
        error = refused(capsys, command, *NAVIGATION, "--out", str(out))
        assert str(out.parent) in error and "\n  -> " in error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_takes_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    refuse_unwritable(tmp_path / "old.json")
    refuse_unwritable(tmp_path / "new/one.json")
    refuse_unwritable("/dev/null")
    assert (tmp_path / "old.json").read_text() == "{}"
    assert list((tmp_path / "new").iterdir()) == []


def test_the_remedy_names_the_domain_at_hand(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = ("--data", str(tmp_path / "none"), "--run", str(tmp_path / "run"))
    for domain in ("navigation", "reacher"):
        error = refused(capsys, "train", "--domain", domain, *empty)
        assert f"`ls3 collect --domain {domain}`" in error
    config = tmp_path / "mine.yaml"
    text = (Path(__file__).parents[3] / "config/navigation.yaml").read_text()
    config.write_text(text)
    error = refused(capsys, "evaluate", "--domain", "mine", "--config", str(config))
    assert "`ls3 learn --domain mine`" in error


def test_data_and_models_of_another_domain_name_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "domain.json").write_text('{"domain": "reacher"}')
    error = refused(
        capsys, "train", *NAVIGATION, "--data", str(tmp_path), "--run", str(tmp_path / "r")
    )
    assert "or --domain reacher" in error
    model = Path(__file__).parents[2] / "ls3_planner/models/reacher"
    error = refused(capsys, "evaluate", *NAVIGATION, "--model", str(model))
    assert "a model of 'navigation', or the domain 'reacher'" in error


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"figures\.json"):
        refuse_unwritable("/proc/figures.json")
