"""What a bag records besides pictures: one class for each small stream.

Everywhere `log` is the time of recording by the recorder's clock, and `stamp` the stamp in the
message's header by the robot's clock, both in ns. Episode and step are the numbers in the message.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

MARKS = ("start", "stop", "success", "violation", "discard")
"""Words of EPISODE_MARK, a topic of this project. After `start` the source may follow, e.g.
``start demonstration``."""


class BagFault(ValueError):
    """Why an episode, or a whole bag, cannot be imported; the text is for people."""


@dataclasses.dataclass(frozen=True)
class TopicNames:
    """Which topics to read if a bag leaves a choice.

    namespace: of the recorded graph; empty: whichever the bag has.
    camera: topic of the pictures; empty: CAMERA_IMAGE, compressed or not.
    arm: CRTK name, e.g. PSM1; empty: the only PSM in the bag.
    clutch: topics of the operator's clutch; empty: all whose names end in /clutch. Laboratories
    name the clutch differently: /console/clutch, /console1/clutch, /footpedals/clutch.
    """

    namespace: str = ""
    camera: str = ""
    arm: str = ""
    clutch: tuple[str, ...] = ()


class RecordedCommand(NamedTuple):
    """One ARM_COMMAND.

    image_stamp: of the frame that the action rests on, ns. outcome: `sent`, `clamped`, `held` or
    `refused`. sent: displacement (dx, dy), m. frame: in which it is given.
    """

    log: int
    stamp: int
    episode: int
    step: int
    image_stamp: int
    outcome: str
    sent: tuple[float, ...]
    frame: str


class RecordedMotion(NamedTuple):
    """One MOTION_STATE: the arm began (`moving`) or ended the motion of this step.

    log: time of recording, ns. stamp: when the motion began or ended, ns.
    """

    log: int
    stamp: int
    moving: bool
    episode: int
    step: int


class RecordedRequest(NamedTuple):
    """One STEP_REQUEST: episode_node requested the action of this step.

    log: time of recording, ns. stamp: from which a frame may answer the request, ns.
    """

    log: int
    stamp: int
    episode: int
    step: int


class RecordedTaskState(NamedTuple):
    """One TASK_STATE: whether a frame shows success, and whether it shows a violation.

    log: time of recording, ns.
    """

    log: int
    success: bool
    constraint: bool


class Mark(NamedTuple):
    """One mark of the operator, which has no stamp.

    log: time of recording, ns. word: one of `MARKS`. rest: the text after it.
    """

    log: int
    word: str
    rest: str


@dataclasses.dataclass
class Setpoints:
    """The recorded `setpoint_cp` of the arm, N poses in columns.

    log, stamp: ns, N entries. xyz: positions of the tip, m, 3 N entries. frames: of the poses.
    jumps: where the robot's clock jumped back, as (log in ns, jump in s).
    """

    log: array[int] = dataclasses.field(default_factory=lambda: array("q"))
    stamp: array[int] = dataclasses.field(default_factory=lambda: array("q"))
    xyz: array[float] = dataclasses.field(default_factory=lambda: array("d"))
    frames: set[str] = dataclasses.field(default_factory=set)
    jumps: list[tuple[int, float]] = dataclasses.field(default_factory=list)

    def between(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Stamps (N,), ns, and positions (N, 3), m, recorded from `begin` to `end` (log, ns)."""
        first, last = np.searchsorted(np.frombuffer(self.log, np.int64), (begin, end + 1))
        stamps = np.frombuffer(self.stamp, np.int64)[first:last]
        return stamps, np.frombuffer(self.xyz).reshape(-1, 3)[first:last]


@dataclasses.dataclass
class Streams:
    """All small streams of one bag, from `streams.read_streams`.

    camera: topic of the pictures; empty if there is none. camera_fault: why there is none.
    arms: CRTK names of the arms that have a setpoint. has_task_states: whether TASK_STATE was
    recorded. commands, motions, requests, marks, setpoints: the streams, in order of recording.
    task_states: by stamp (ns); several if the robot's clock started again during the recording.
    violations: (log, stamp) of each task_state that shows a violation, ns.
    pauses: begin and end of each time in which the operator was clutched (log, ns).
    pause_faults: why some of these times may be unknown.
    span: first and last time of recording (log, ns). faults: why a topic is not read, by relative
    topic name. drops: number of unusable messages by reason.
    """

    camera: str = ""
    camera_fault: str = ""
    arms: list[str] = dataclasses.field(default_factory=list)
    has_task_states: bool = False
    commands: list[RecordedCommand] = dataclasses.field(default_factory=list)
    motions: list[RecordedMotion] = dataclasses.field(default_factory=list)
    requests: list[RecordedRequest] = dataclasses.field(default_factory=list)
    marks: list[Mark] = dataclasses.field(default_factory=list)
    setpoints: Setpoints = dataclasses.field(default_factory=Setpoints)
    task_states: dict[int, list[RecordedTaskState]] = dataclasses.field(default_factory=dict)
    violations: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    pauses: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    pause_faults: list[str] = dataclasses.field(default_factory=list)
    span: tuple[int, int] = (0, 0)
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    drops: Counter[str] = dataclasses.field(default_factory=Counter)

    def task_state(self, stamp: int, log: int) -> RecordedTaskState | None:
        """The task_state with this stamp (ns) that was recorded nearest to `log` (ns), if any."""
        found = self.task_states.get(stamp)
        return min(found, key=lambda state: abs(state.log - log)) if found else None


def nanoseconds(time: Any) -> int:
    """Convert a builtin_interfaces/Time to nanoseconds."""
    return int(time.sec) * 10**9 + int(time.nanosec)


def stamp_of(message: Any) -> int:
    """Return the stamp (ns) in the header of a message."""
    return nanoseconds(message.header.stamp)
