"""The time in which the operator is clutched is cut out, whatever the laboratory calls the clutch.

The class: names that differ between laboratories are fixed in the code, and nothing says that a
topic is missing. Its members here: a clutch in another namespace, under another name, of another
type; a clutch of a type that is not understood; no clutch at all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recorded import Recording, header, make
from test_data_import import data_import, make_bag, rows

from ls3_models.episodes import Episode, list_episodes, read_episode

pytestmark = pytest.mark.background

WORDS = ["--actions", "setpoints", "--period", "0.45"]


def press(recording: Recording, topic: str, down: bool, kind: str = "") -> None:
    if kind:
        message = make(kind, data=down if kind.endswith("Bool") else str(down))
    else:
        buttons = np.array([down], np.int32)
        message = make("sensor_msgs/msg/Joy", header=header(recording.robot), buttons=buttons)
    recording.send(topic, message)


def clutched_bag(path: Path, topic: str, kind: str = "") -> list[Episode]:
    """Two episodes, in each of which the operator clutches for seven seconds."""

    def spoil(recording: Recording, _number: int, step: int) -> None:
        if step == 2:
            recording.wait(1)
            press(recording, topic, True, kind)
            for moment in range(1, 141):
                recording.wait(50)
                recording.setpoint_again()
                if moment % 20 == 0:
                    recording.frame_again()
            recording.wait(1)
            press(recording, topic, False, kind)
            recording.wait(1)
            recording.frame_again()

    return make_bag(path, steps=5, spoil=spoil)


@pytest.mark.parametrize(
    ("topic", "kind", "words"),
    [
        ("console/clutch", "", []),
        ("footpedals/clutch", "", []),
        ("console1/clutch", "", []),
        ("lab/console/clutch", "", []),
        ("lab/clutch", "std_msgs/msg/Bool", []),
        ("arms/left_pedal", "", ["--clutch", "arms/left_pedal"]),
    ],
)
def test_clutched_time_is_cut_out(
    tmp_path: Path, out: Path, topic: str, kind: str, words: list[str]
) -> None:
    truth = clutched_bag(tmp_path / "bag", topic, kind)
    assert data_import(tmp_path / "bag", out, *WORDS, *words) == 0
    assert [row["notes"] for row in rows(out)] == [[], []]
    for file, expected in zip(list_episodes(out), truth, strict=True):
        found = read_episode(file)
        assert np.array_equal(found.observations, expected.observations)
        assert np.allclose(found.actions, expected.actions, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("topic", "kind", "words", "note"),
    [
        ("arms/left_pedal", "", [], "no topic of a clutch was recorded"),
        (
            "console/clutch",
            "std_msgs/msg/String",
            [],
            "topic '/console/clutch' is std_msgs/msg/String, expected sensor_msgs/msg/Joy",
        ),
        ("console/clutch", "", ["--clutch", "footpedals/clutch"], "no topic 'footpedals/clutch'"),
    ],
    ids=["absent", "another type", "not the one that was named"],
)
def test_a_clutch_that_is_not_understood_is_named_in_the_verdict(
    tmp_path: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    topic: str,
    kind: str,
    words: list[str],
    note: str,
) -> None:
    clutched_bag(tmp_path / "bag", topic, kind)
    for verdict in ("imported", "present"):
        data_import(tmp_path / "bag", out, *WORDS, *words)
        said = capsys.readouterr().out
        assert f"bag/0: {verdict}" in said and note in said
        assert all(row["notes"][0].startswith(note) for row in rows(out))


def test_beside_commands_no_clutch_is_missed(tmp_path: Path, out: Path) -> None:
    make_bag(tmp_path / "bag", steps=3)
    assert data_import(tmp_path / "bag", out) == 0
    assert [row["notes"] for row in rows(out)] == [[], []]
