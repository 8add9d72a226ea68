"""With which model the graph of a task of one's own begins, where none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ls3_common.errors import UserError
from ls3_common.model_facts import MANIFEST, OFFLINE_MODEL
from ls3_common.shared import find_shared
from ls3_launch.gym_graph import first_model

pytestmark = pytest.mark.background


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).touch()
    return folder


def test_learning_begins_with_the_offline_model(tmp_path: Path) -> None:
    of_run = model(tmp_path / "run" / OFFLINE_MODEL)
    given = {"mode": "learn", "offline": str(tmp_path / "run")}
    assert first_model("mine", given) == str(of_run)
    other = model(tmp_path / "model")
    assert first_model("mine", given | {"offline": str(other)}) == str(other)


@pytest.mark.parametrize("mode", ["run", "learn"])
def test_otherwise_with_the_shipped_one(mode: str) -> None:
    shipped = str(find_shared("models/navigation"))
    assert first_model("navigation", {"mode": mode, "offline": ""}) == shipped


@pytest.mark.parametrize(("mode", "run"), [("run", True), ("learn", False)])
def test_without_a_model_it_is_said_what_to_give(tmp_path: Path, mode: str, run: bool) -> None:
    if run:  # an offline model is not run unless it is named
        model(tmp_path / "run" / OFFLINE_MODEL)
    given = {"mode": mode, "offline": str(tmp_path / "run")}
    with pytest.raises(UserError, match=r"no model is shipped for 'mine'(?s:.*)offline:=RUN"):
        first_model("mine", given)
