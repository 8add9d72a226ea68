"""What a bag tells besides pictures: one class for each small stream."""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

MARKS = ("start", "stop", "success", "violation", "discard")
"""What an operator says on EPISODE_MARK; a start may name its source. dVRK has no such topic."""


class BagFault(ValueError):
    """Why an episode, or a whole bag, cannot be imported."""


@dataclasses.dataclass(frozen=True)
class Names:
    """Which topics to read where a bag leaves a choice."""

    namespace: str = ""  # of the graph; empty: whichever the bag has
    camera: str = ""  # topic of the pictures; empty: CAMERA_IMAGE, compressed or not
    arm: str = ""  # CRTK name; empty: the only PSM of the bag


class RecordedCommand(NamedTuple):
    """One ARM_COMMAND; times in ns."""

    log: int
    stamp: int
    episode: int
    step: int
    image_stamp: int
    outcome: str
    sent: tuple[float, ...]
    frame: str


class RecordedMotion(NamedTuple):
    """One MOTION_STATE."""

    log: int
    stamp: int
    moving: bool
    episode: int
    step: int


class Asked(NamedTuple):
    """One STEP_REQUEST."""

    log: int
    stamp: int
    episode: int
    step: int


class State(NamedTuple):
    """One TASK_STATE."""

    log: int
    success: bool
    constraint: bool


class Mark(NamedTuple):
    """What the operator said, in the recorder's time (ns): a person is no clock."""

    log: int
    word: str
    rest: str


@dataclasses.dataclass
class Setpoints:
    """A stream of CRTK poses: columns log and stamp (ns), x, y, z (m)."""

    log: array[int] = dataclasses.field(default_factory=lambda: array("q"))
    stamp: array[int] = dataclasses.field(default_factory=lambda: array("q"))
    xyz: array[float] = dataclasses.field(default_factory=lambda: array("d"))
    frames: set[str] = dataclasses.field(default_factory=set)
    jumps: list[tuple[int, float]] = dataclasses.field(default_factory=list)  # (log, seconds back)

    def between(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Stamps (N,) and positions (N, 3) recorded from `begin` to `end` (ns, log)."""
        first, last = np.searchsorted(np.frombuffer(self.log, np.int64), (begin, end + 1))
        stamps = np.frombuffer(self.stamp, np.int64)[first:last]
        return stamps, np.frombuffer(self.xyz).reshape(-1, 3)[first:last]


@dataclasses.dataclass
class Streams:
    """All small streams of one bag."""

    camera: str = ""
    camera_fault: str = ""
    """Why there is none."""
    arms: list[str] = dataclasses.field(default_factory=list)
    has_states: bool = False
    commands: list[RecordedCommand] = dataclasses.field(default_factory=list)
    motions: list[RecordedMotion] = dataclasses.field(default_factory=list)
    asked: list[Asked] = dataclasses.field(default_factory=list)
    marks: list[Mark] = dataclasses.field(default_factory=list)
    setpoints: Setpoints = dataclasses.field(default_factory=Setpoints)
    states: dict[int, list[State]] = dataclasses.field(default_factory=dict)
    """By stamp; several where the clock began anew within the recording."""
    violations: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    """(log, stamp) of each task_state that shows one."""
    pauses: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # log begin, end
    span: tuple[int, int] = (0, 0)
    """Of the recording (ns, log)."""
    faults: dict[str, str] = dataclasses.field(default_factory=dict)  # by relative topic
    drops: Counter[str] = dataclasses.field(default_factory=Counter)

    def state(self, stamp: int, log: int) -> State | None:
        """The task state of the frame with this stamp, recorded at about the same time."""
        found = self.states.get(stamp)
        return min(found, key=lambda one: abs(one.log - log)) if found else None


def nanoseconds(time: Any) -> int:
    """A builtin_interfaces/Time."""
    return int(time.sec) * 10**9 + int(time.nanosec)


def stamp_of(message: Any) -> int:
    """Stamp of a message with a header (ns)."""
    return nanoseconds(message.header.stamp)
