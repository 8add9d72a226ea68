from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ls3_episodes.record import FramePairing, Record
from ls3_models.episodes import VARIATIONS, read_episode

pytestmark = pytest.mark.background

BLANK = np.zeros((64, 64, 1), np.uint8)


def command(outcome: str = "sent", sent: tuple[float, ...] = (0.01, 0.0)) -> Any:
    return SimpleNamespace(outcome=outcome, sent=sent, requested=(0.015, 0.0))


def test_frames_pair_image_and_state_by_stamp() -> None:
    frames = FramePairing()
    frames.add_image(10, BLANK)
    assert frames.first(0) is None
    assert frames.missing(0).startswith("task_state")
    frames.add_state(20, True, False)
    assert frames.first(0) is None
    assert "with the same stamp" in frames.missing(0)
    assert frames.missing(15).startswith("segmentation/mask")
    frames.add_image(20, BLANK)
    frames.add_state(10, False, False)
    first, second = frames.first(0), frames.first(11)
    assert first is not None and second is not None
    assert (first.stamp, first.success) == (10, False)
    assert (second.stamp, second.success) == (20, True)
    frames.clear()
    assert frames.first(0) is None


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            '{"on": {"delay": 1}, "drawn": {"gain": 0.9}}',
            {"on": {"delay": 1}, "drawn": {"gain": 0.9}},
        ),
        ("", None),
        ("the cable lies straight", None),  # of another scene
        ("[1]", None),
        ('{"on": {}}', None),
    ],
)
def test_the_file_names_what_a_simulation_varied(tmp_path: Path, message: str, kept: Any) -> None:
    record = Record(0, 1)
    record.begin(BLANK)
    record.reset_by(message)
    record.add(command(), BLANK, success=False, constraint=False)
    episode = read_episode(record.write(str(tmp_path), "horizon"))
    assert episode.attributes.get(VARIATIONS) == kept
    assert episode.attributes["ended"] == "horizon"


def test_violation_between_frames_is_remembered() -> None:
    frames = FramePairing()
    frames.add_state(10, False, True)
    frames.add_state(20, False, False)
    assert frames.violated


def test_record_keeps_what_was_sent_and_judges_as_the_environment(tmp_path: Path) -> None:
    record = Record(3, 77)
    assert record.write(str(tmp_path), "interrupted") == ""  # nothing has happened
    record.begin(BLANK)
    record.add(command(), BLANK + 1, success=False, constraint=False)
    record.add(command("held"), BLANK + 2, success=True, constraint=False)
    record.add(command("clamped", (0.0, 0.002)), BLANK + 3, success=False, constraint=True)
    record.add(command(), BLANK + 4, success=True, constraint=False)  # after the violation
    assert (record.succeeded, record.violated, record.steps, record.holds) == (True, True, 2, 1)
    assert record.total_reward == -3.0
    episode = read_episode(record.write(str(tmp_path), "horizon"))
    np.testing.assert_allclose(
        episode.actions, [[0.01, 0.0], [0.0, 0.0], [0.0, 0.002], [0.01, 0.0]], atol=1e-8
    )
    assert episode.constraint.tolist() == [False, False, True, True]
    assert episode.success.tolist() == [False, True, False, False]
    assert episode.observations[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert (episode.seed, episode.attributes["ended"]) == (77, "horizon")
