from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls3_episodes.summary import EpisodeOutcome, RunSummary, duration, line, percentile
from ls3_models.episodes import VARIATIONS, Episode, write_episode

pytestmark = pytest.mark.background


def row(**changes: Any) -> EpisodeOutcome:
    fields: dict[str, Any] = {
        "episode": 0,
        "seed": 5,
        "ran": True,
        "success": True,
        "violation": False,
        "steps": 30,
        "holds": 1,
        "dropped": 0,
        "reason": "success",
        "plan_ms_median": 400.0,
        "wall_s": 20.0,
    }
    return EpisodeOutcome(**{**fields, **changes})


def test_the_first_episode_file_names_the_runs_variations(tmp_path: Path) -> None:
    blank = np.zeros((2, 4, 4, 1), np.uint8)
    one = (np.zeros((1, 2), np.float32), np.zeros(1, np.float32), *(np.zeros((2, 1), bool)))
    files = []
    for name, attributes in (
        ("a", {}),  # of a robot
        ("b", {VARIATIONS: {"on": {"delay": 1}, "drawn": {}}}),
        ("c", {VARIATIONS: {"on": {}, "drawn": {}}}),
    ):
        episode = Episode(blank, *one, "online", 0, attributes)
        files.append(str(write_episode(tmp_path, name, episode)))
    summary = RunSummary(5)
    for file in ("", "elsewhere.h5", files[0]):
        summary.add(row(file=file))
        assert VARIATIONS not in summary.to_dict()
    for file in files[1:]:
        summary.add(row(file=file))
        assert summary.to_dict()[VARIATIONS] == {"delay": 1}
    assert len(summary.to_dict()["rows"]) == 5


def test_figures_are_over_the_episodes_that_ran(tmp_path: Path) -> None:
    summary = RunSummary(4, 37.0, {"seed": 5})
    summary.rows += [
        row(steps=30),
        row(steps=34),
        row(success=False, violation=True, steps=9, reason="violation"),
        row(ran=False, success=True, steps=1, reason="no plan within 60 s"),
    ]
    summary.plan_ms += [100.0, 300.0, 200.0]
    summary.frame_to_command_ms += [float(i) for i in range(1, 201)]
    assert not summary.complete
    path = summary.write(tmp_path / "new" / "folder")
    written = json.loads(path.read_text())
    expected = {
        "episodes": 3,
        "successes": 2,
        "violations": 1,
        "mean_steps": 32,
        "demonstrator_mean_steps": 37.0,
        "plan_ms_median": 200.0,
        "frame_to_command_ms_p99": 198.0,
        "requested": 4,
        "holds": 3,
        "seed": 5,
    }
    assert {key: written[key] for key in expected} == expected
    assert len(written["rows"]) == 4
    assert [p.name for p in path.parent.iterdir()] == ["summary.json"]


def test_nothing_measured_is_null_not_zero() -> None:
    figures = RunSummary(1).to_dict()
    assert figures["mean_steps"] is figures["plan_ms_median"] is None
    assert figures["frame_to_command_ms_p99"] is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "reached the goal in 30 steps (demonstrator 37); 1 holds, plan 400 ms"),
        ({"success": False, "violation": True}, "violation at step 30"),
        ({"success": False, "reason": "horizon"}, "goal not reached in 30 steps"),
        ({"ran": False, "reason": "no plan"}, "did not run: no plan"),
        ({"dropped": 2}, "2 dropped"),
        ({"held_for": "no plan, (5) fails"}, "1 holds (no plan, (5) fails), plan 400 ms"),
    ],
)
def test_line_of_progress(changes: dict[str, Any], text: str) -> None:
    summary = RunSummary(5, 37.0)
    said = line(row(**changes), 2, summary, 50.0)
    assert said.startswith("episode 2/5 (seed 5): ")
    assert text in said
    assert said.endswith("1 min 15 s left")
    assert "left" not in line(row(**changes), 5, summary, 50.0)


def test_percentile_and_duration() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([], 99) is None
    assert duration(59.6) == "1 min 0 s"
