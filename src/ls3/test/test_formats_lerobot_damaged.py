"""LeRobot data sets that are damaged, incomplete or of another kind are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")

import shutil

from lerobot_sets import PERIOD, edit_info, edit_tables, make_lab
from test_data_import import data_import, reasons, rows

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def exported(lab: Path, tmp_path: Path) -> Path:
    """A copy that the test may spoil."""
    return Path(shutil.copytree(lab / "export", tmp_path / "export"))


def _lfs(root: Path) -> None:
    path = sorted(root.glob("data/*/*.parquet"))[0]
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def _cut(pattern: str) -> Callable[[Path], None]:
    def cut(root: Path) -> None:
        path = sorted(root.glob(pattern))[0]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return cut


def _backwards(root: Path) -> None:
    edit_tables(root, lambda c: {**c, "observation.meta.time": c["observation.meta.time"][::-1]})


def _not_finite(root: Path) -> None:
    edit_tables(root, lambda c: {**c, "action": [[float("nan")] * 7] * len(c["action"])})


DAMAGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pointer": (_lfs, "a pointer of Git LFS"),
    "half a table": (_cut("data/*/*.parquet"), "cannot be read"),
    "half a video": (_cut("videos/**/*.mp4"), ""),
    "no video": (lambda root: sorted(root.glob("videos/**/*.mp4"))[0].unlink(), "No such file"),
    "a way out": (
        lambda root: edit_info(root, lambda i: i.update(data_path="../../x.parquet")),
        "leads out of the data set",
    ),
    "a wrong path": (
        lambda root: edit_info(root, lambda i: i.update(data_path="{nobody}.parquet")),
        "damaged 'data_path'",
    ),
    "time runs back": (_backwards, "time stamps that do not increase"),
    "not a number": (_not_finite, "not finite"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_episode_has_a_reason(exported: Path, tmp_path: Path, case: str) -> None:
    spoil, reason = DAMAGED[case]
    spoil(exported)
    data_import(exported, tmp_path / "out", *PERIOD)
    assert rows(tmp_path / "out")[0]["verdict"] == "rejected"
    assert reason in reasons(tmp_path / "out")[0]


def _info(**values: Any) -> Callable[[Path], None]:
    return lambda root: edit_info(root, lambda info: info.update(values))


UNKNOWN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another version": (_info(codebase_version="v9"), "LeRobot's format v9"),
    "no rate": (_info(fps="thirty"), "'fps' is thirty"),
    "no features": (_info(features=[]), "no 'features'"),
    "no list of episodes": (
        lambda root: (root / "meta/episodes.jsonl").write_text("{"),
        "cannot be read",
    ),
    "half a description": (
        lambda root: (root / "meta/info.json").write_text('{"fps": '),
        "copy the data set again",
    ),
    "two cameras": (
        lambda root: edit_info(
            root,
            lambda info: info["features"].update({"observation.images.room": {"dtype": "video"}}),
        ),
        "choose one with --camera",
    ),
    "joints only": (
        lambda root: edit_info(
            root, lambda info: [info["features"][n].update(names=list("abcdefg")) for n in POSES]
        ),
        "neither positions x, y, z of one arm",
    ),
}
POSES = ("action", "observation.state")


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_data_set_that_cannot_be_opened_says_why(
    exported: Path, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, reason = UNKNOWN[case]
    spoil(exported)
    assert data_import(exported, tmp_path / "out", *PERIOD) == 2
    said = capsys.readouterr().out
    assert reason in said
    assert "delete" not in said
