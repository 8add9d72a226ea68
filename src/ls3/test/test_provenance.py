"""Figures name the commit that gave them, and say if the source differed."""

import subprocess
from pathlib import Path

import pytest

from ls3.runs import provenance

pytestmark = pytest.mark.background


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    run = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("src/code.py", "results/one.json", "docs/results.md"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("1")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "src/code.py"))
    return tmp_path


def test_what_a_measurement_writes_does_not_make_its_commit_differ(tree: Path) -> None:
    commit = git(tree, "rev-parse", "--short=12", "HEAD")
    assert provenance.git_commit() == commit
    for name in ("results/one.json", "docs/results.md"):
        (tree / name).write_text("2")
    assert provenance.git_commit() == commit
    (tree / "src/code.py").write_text("2")
    assert provenance.git_commit() == commit + "+"
    git(tree, "add", ".")
    assert provenance.git_commit() == commit + "+"


def test_outside_a_tree_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit() == ""
