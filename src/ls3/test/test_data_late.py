"""Bags of a busy recorder: messages that came late, were sent again, or were lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import Recording, record_episode, simulation
from test_data_import import data_import, reasons, verdicts

from ls3_models.episodes import list_episodes, read_episode

pytestmark = pytest.mark.background


class Late(Recording):
    """A recorder so busy that it takes some topics after others, by `delay` ns."""

    late = ("motion_state",)
    delay = 250_000_000

    def send(self, topic: str, message: Any, kind: str = "") -> None:
        delay = self.delay if topic in self.late else 0
        self.offset += delay
        super().send(topic, message, kind)
        self.offset -= delay


class Resent(Recording):
    """After the first one commands are lost; those of both episodes come at the end, or none."""

    resend = True

    def __enter__(self) -> Resent:
        self._lost: list[Any] = []
        super().__enter__()
        return self

    def send(self, topic: str, message: Any, kind: str = "") -> None:
        held_back = topic == "arm_command" and (message.step or (self._lost and self.resend))
        if not held_back:
            super().send(topic, message, kind)
        else:
            self._lost.append(message)

    def send_again(self) -> None:
        for message in self._lost if self.resend else ():
            super().send("arm_command", message)


class Lossy(Recording):
    """A recorder that gets only every other end of a motion, as of a topic that keeps one."""

    def motion(self, number: int, step: int, moving: bool) -> None:
        if moving or step % 2:
            super().motion(number, step, moving)


class WithHistory(Lossy):
    """As `Lossy`, beside arm_node's `motion_history`, which keeps the last changes."""

    def motion(self, number: int, step: int, moving: bool) -> None:
        super().motion(number, step, moving)
        sent, self.send = self.send, lambda _, *rest: sent("motion_history", *rest)  # type: ignore
        Recording.motion(self, number, step, moving)
        self.send = sent  # type: ignore[method-assign]


def test_the_history_of_motions_is_read_where_there_is_one(tmp_path: Path, out: Path) -> None:
    with simulation() as env, WithHistory(tmp_path / "bag") as recording:
        truth = record_episode(recording, env, "demonstration", 0, 0, 5)
    assert data_import(tmp_path / "bag", out) == 0
    (path,) = list_episodes(out)
    assert np.array_equal(read_episode(path).observations, truth.observations)


def test_ends_of_motions_that_were_lost(tmp_path: Path, out: Path) -> None:
    """The frame that the next plan rests on tells; at the very end there is none."""
    truth = []
    with simulation() as env, Lossy(tmp_path / "bag") as recording:
        for number, steps in enumerate((5, 4)):
            truth.append(record_episode(recording, env, "demonstration", number, number, steps))
            recording.wait(1)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["rejected", "imported"]
    assert "the recording ends within the episode" in reasons(out)[0]
    (path,) = list_episodes(out)
    assert np.array_equal(read_episode(path).observations, truth[1].observations)
    assert np.array_equal(read_episode(path).actions, truth[1].actions)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("resend", [True, False])
def test_commands_that_are_sent_again(
    tmp_path: Path, out: Path, marked: bool, resend: bool
) -> None:
    """They belong where the arm carried them out; an episode without them is not a shorter one."""
    truth = []
    with simulation() as env, Resent(tmp_path / "bag") as recording:
        recording.resend = resend
        for number in range(2):
            if marked:
                recording.mark("start")
            recording.wait(1)
            truth.append(record_episode(recording, env, "demonstration", number, number, 4))
            recording.wait(1)
            if marked:
                recording.mark("stop")
            recording.wait(500)
        recording.send_again()
    assert data_import(tmp_path / "bag", out) == (0 if resend else 2)
    if not resend:
        assert verdicts(out) == ["rejected", "rejected"]
        assert set(reasons(out)) == {"the command of step 1 is missing"}
        return
    assert verdicts(out) == ["imported", "imported"]
    for path, expected in zip(list_episodes(out), truth, strict=True):
        assert np.array_equal(read_episode(path).observations, expected.observations)
        assert np.array_equal(read_episode(path).actions, expected.actions)


@pytest.mark.parametrize(
    ("late", "seconds"),
    [
        (("motion_state",), 0.25),
        (("episode_mark",), 0.25),
        (("episode_mark",), 0.93),  # seen on a busy computer: after the fourth command
        (("camera/image_raw", "task_state"), 0.25),
    ],
)
def test_topics_that_are_recorded_late(
    tmp_path: Path, out: Path, late: tuple[str, ...], seconds: float
) -> None:
    """The end of a motion after the next command, a start after the first, frames after a stop."""
    truth = []
    with simulation() as env, Late(tmp_path / "bag") as recording:
        recording.late, recording.delay = late, int(seconds * 1e9)
        for number in range(2):
            recording.mark("start")
            recording.wait(1)
            truth.append(record_episode(recording, env, "demonstration", number, number, 4))
            recording.wait(1)
            recording.mark("stop")
            recording.wait(2000)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "imported"]
    for path, expected in zip(list_episodes(out), truth, strict=True):
        assert np.array_equal(read_episode(path).observations, expected.observations)
        assert np.array_equal(read_episode(path).actions, expected.actions)
