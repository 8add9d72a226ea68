"""A lost frame of a state: no later frame, which shows a later state, takes its place.

The class: a frame that shows a later state is taken for an earlier one. Its members here: the
recorder lost the frames around a state; the picture of a state cannot be read; the task_state of a
state was lost; the frame after the last step was lost, and the arm went back before the next frame.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import Recording, record_episode, simulation
from test_data_import import data_import, reasons, verdicts

from ls3_common import topics
from ls3_models.episodes import list_episodes, read_episode

pytestmark = pytest.mark.background

STEP = 3
"""The step of the second episode whose frame s_3 is lost."""


def make(path: Path, lose: Callable[[Recording, bool], None], *, compressed: bool = False) -> None:
    """Two episodes; `lose` is called when frame s_3 of the second is to come, and after it."""

    class Losing(Recording):
        spoilt = False

        def send(self, topic: str, message: Any, kind: str = "") -> None:
            if self.spoilt and topic.endswith("/compressed"):
                message.data = absurd(message.data)
            super().send(topic, message, kind)

        def command(self, number: int, step: int, image_stamp: int, sent: np.ndarray) -> None:
            if number == 1 and step in (STEP - 1, STEP):
                lose(self, step < STEP)
            super().command(number, step, image_stamp, sent)

    with simulation() as env, Losing(path, compressed=compressed) as recording:
        for number in range(2):
            record_episode(recording, env, "demonstration", number, number, 6)
            recording.wait(1)


def absurd(data: np.ndarray) -> np.ndarray:
    """A PNG whose header asks for 1e12 pixels, at which OpenCV raises an exception."""
    png = bytearray(bytes(data))
    png[16:24] = struct.pack(">II", 1_000_000, 1_000_000)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    return np.frombuffer(bytes(png), np.uint8)


def lose(*names: str) -> Callable[[Recording, bool], None]:
    def without(recording: Recording, lost: bool) -> None:
        recording.without = frozenset(names if lost else ())

    return without


def spoil_bytes(recording: Recording, lost: bool) -> None:
    """The camera's driver sends bytes that are no picture."""
    recording.spoilt = lost  # type: ignore[attr-defined]


def darken(recording: Recording, lost: bool) -> None:
    """The picture has a size that no camera of this bag has, so that it cannot be used."""
    recording.picture = (lambda pixels: pixels[:10]) if lost else (lambda pixels: pixels)


@pytest.mark.parametrize(
    ("spoil", "compressed"),
    [
        (lose("camera/image_raw"), False),
        (lose("camera/image_raw/compressed"), True),
        (lose("task_state"), False),
        (darken, False),
        (spoil_bytes, True),
    ],
    ids=["frames", "compressed frames", "task_state", "unusable picture", "spoiled picture"],
)
def test_a_lost_frame_is_not_replaced_by_one_of_a_later_state(
    tmp_path: Path, out: Path, spoil: Callable[[Recording, bool], None], compressed: bool
) -> None:
    make(tmp_path / "bag", spoil, compressed=compressed)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert f"the frame of state {STEP} is missing" in reasons(out)[1]


def test_a_lost_last_frame_is_not_replaced_by_one_from_the_way_back(
    tmp_path: Path, out: Path
) -> None:
    class NoEnd(Recording):
        def __exit__(self, *exception: object) -> None:
            if exception[0] is None:
                back, step = topics.RETREAT_EPISODE, 0
                self.command(back, step, self.robot, np.array([-0.01, 0.0]))
                self.motion(back, step, moving=True)
                self.wait(250)
                self.motion(back, step, moving=False)
                self.without = frozenset()
                self.frame_again()
            super().__exit__(*exception)  # type: ignore[arg-type]

        def motion(self, number: int, step: int, moving: bool) -> None:
            if (number, step, moving) == (0, 4, False):
                self.without = frozenset({"camera/image_raw"})
            super().motion(number, step, moving)

    with simulation() as env, NoEnd(tmp_path / "bag") as recording:
        record_episode(recording, env, "demonstration", 0, 0, 5)
        recording.wait(50)
    assert data_import(tmp_path / "bag", out) == 2
    assert "the frame of state 5 is missing" in reasons(out)[0]


def test_a_frame_from_before_the_motion_may_take_its_place(tmp_path: Path, out: Path) -> None:
    """The arm is at rest until the plan is carried out: all frames show the same state."""

    def spoil(recording: Recording, number: int, step: int) -> None:
        if (number, step) == (1, STEP):
            recording.wait(20)
            recording.frame_again()

    class Losing(Recording):
        def frame(self, pixels: np.ndarray, success: bool, constraint: bool) -> None:
            self.count = getattr(self, "count", 0) + 1
            self.without = frozenset({"camera/image_raw"} if self.count == 4 * STEP + 1 else ())
            super().frame(pixels, success, constraint)

    truth = []
    with simulation() as env, Losing(tmp_path / "bag", spoil=spoil) as recording:
        truth.append(record_episode(recording, env, "demonstration", 1, 1, 6))
    assert data_import(tmp_path / "bag", out) == 0
    assert np.array_equal(read_episode(list_episodes(out)[0]).observations, truth[0].observations)
