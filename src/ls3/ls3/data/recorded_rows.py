"""Every recorded camera frame of imported episodes as a row, with the arm's poses beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dvrk_cable_env.bags.frames import CameraFrame
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import stamp_of
from ls3.data.lerobot_recording import TIME
from ls3.data.lerobot_rows import Feature, vector
from ls3.data.recording import BagRecording
from ls3.data.registry import DataFacts
from ls3_common.errors import DataError, UserError
from ls3_models.episodes import Episode

MEASURED, SETPOINT = "measured_cp", "setpoint_cp"
POSE = "geometry_msgs/msg/PoseStamped"
PARTS = (*(f"position.{axis}" for axis in "xyz"), *(f"orientation.{part}" for part in "xyzw"))
"""Components of a pose: position in m and unit quaternion, in the frame of the arm's base."""
MAX_SKEW = 0.1
"""Longest time from a frame to the nearest pose, s, as in the import of setpoints."""
ROUNDING = 10**6
"""Nanoseconds to which the import rounds the times of states."""


class RecordedRows:
    """The rows of episodes from the recordings that they were imported from.

    rate: frames per second, the rounded median over all episodes. camera: feature of the pictures.
    features: of the columns. drift: longest time (s) of a frame from its nominal one.
    """

    def __init__(self, episodes: Sequence[Episode], facts: DataFacts) -> None:
        """Find each episode's frames; no picture is decoded yet.

        Raises:
            UserError: the recording of an episode is not among the given ones.
            DataError: a recording has no frames or poses of an episode's time.
        """
        self._recordings = {
            one.digest: one for one in facts.recordings if isinstance(one, BagRecording)
        }
        self._spans: dict[str, dict[int, tuple[int, int]]] = {}
        self._states: dict[int, np.ndarray] = {}
        for index, episode in enumerate(episodes):
            self._note(index, episode)
        self._stamps: dict[int, list[int]] = {index: [] for index in self._states}
        for digest in self._spans:
            for index, frame in self._frames(digest):
                self._stamps[index].append(frame.stamp)
        for index, stamps in self._stamps.items():
            if len(stamps) < 2:
                raise DataError(f"episode {index} has {len(stamps)} frames in its recording")
        gaps = [np.median(np.diff(stamps)) for stamps in self._stamps.values()]
        self.rate = max(1, round(1e9 / float(np.median(gaps))))
        times = {i: (np.array(stamps) - stamps[0]) / 1e9 for i, stamps in self._stamps.items()}
        self.drift = max(
            float(np.abs(time - np.arange(len(time)) / self.rate).max()) for time in times.values()
        )
        self._columns = {
            index: column
            for digest, spans in self._spans.items()
            for index, column in self._read(self._recordings[digest], spans, times, episodes)
        }
        one = next(iter(self._recordings.values()))
        self.camera = f"observation.images.{_camera(one)}"
        arm, state = self._arm(one), self._state_topic(one)
        stem = "pose" if state == MEASURED else "sp"
        self.features: dict[str, Feature] = {
            "observation.state": vector(f"{arm.lower()}_{stem}.{part}" for part in PARTS),
            "action": vector(f"{arm.lower()}_sp.{part}" for part in PARTS),
            TIME: {"dtype": "float64", "shape": [1], "names": None},
        }

    def _note(self, index: int, episode: Episode) -> None:
        origin = episode.attributes.get("import", {})
        digest = origin.get("fingerprint")
        if digest not in self._recordings:
            name = f"{origin['bag']}/{origin['index']}" if origin else f"number {index}"
            raise UserError(
                f"the recording of episode {name} is not among --recordings",
                do="give it with the options of its import, or leave --recordings out: then the "
                "data set has one frame per step",
            )
        if not origin.get("offsets_ms"):
            what = f"episode {origin['bag']}/{origin['index']} holds no times of its states"
            raise DataError(what, do="delete its file and import the recording again")
        first = origin["first_stamp"]
        self._spans.setdefault(digest, {})[index] = (first, origin["last_stamp"])
        self._states[index] = first + np.array(origin["offsets_ms"], np.int64) * ROUNDING

    def columns(self, index: int) -> Mapping[str, np.ndarray]:
        """Return an episode's columns of `features`, and the outcomes of its rows."""
        return self._columns[index]

    def pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (episode, picture uint8 (height, width, 3)) of all rows, an episode at a time.

        Raises:
            DataError: a picture cannot be decoded.
        """
        for digest in self._spans:
            for index, frame in self._frames(digest):
                try:
                    yield index, frame.rgb()
                except ValueError as error:
                    name = self._recordings[digest].name
                    raise DataError(f"a frame of {name} cannot be used: {error}") from None

    def _frames(self, digest: str) -> Iterator[tuple[int, CameraFrame]]:
        """The frames within episodes, without those that are out of order."""
        spans, last = self._spans[digest], 0
        for frame in self._recordings[digest].frames():
            if not isinstance(frame, CameraFrame):
                raise DataError(frame.reason)
            if frame.stamp <= last:
                continue
            for index, (first, end) in spans.items():
                if first <= frame.stamp <= end:
                    last = frame.stamp
                    yield index, frame
                    break

    def _read(
        self,
        recording: BagRecording,
        spans: Mapping[int, tuple[int, int]],
        times: Mapping[int, np.ndarray],
        episodes: Sequence[Episode],
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """The columns of one recording's episodes."""
        arm = self._arm(recording)
        action = _poses(recording.bag, f"/{arm}/{SETPOINT}")
        measured = self._state_topic(recording) == MEASURED
        state = _poses(recording.bag, f"/{arm}/{MEASURED}") if measured else action
        for index in spans:
            stamps = np.array(self._stamps[index], np.int64)
            episode, states = episodes[index], self._states[index]
            # the state that follows a frame; after the last state there is none
            after = np.searchsorted(states, stamps + ROUNDING, "right").clip(1, len(episode)) - 1
            yield (
                index,
                {
                    "observation.state": _interpolated(*state, stamps),
                    "action": _interpolated(*action, stamps),
                    TIME: times[index],
                    "next.reward": episode.rewards[after],
                    "next.success": episode.success[after],
                    "next.constraint": episode.constraint[after],
                    "next.done": np.arange(len(stamps)) == len(stamps) - 1,
                },
            )

    def _arm(self, recording: BagRecording) -> str:
        arms = recording.arms
        if len(arms) != 1:
            what = f"arms {', '.join(arms)}: choose with --arm" if arms else f"no {SETPOINT}"
            raise DataError(what, where=recording.name)
        return arms[0]

    def _state_topic(self, recording: BagRecording) -> str:
        measured = f"/{self._arm(recording)}/{MEASURED}"
        return MEASURED if any(t.endswith(measured) for t in recording.bag.topics) else SETPOINT


def _camera(recording: BagRecording) -> str:
    """A name for the camera: that of its topic, without what all topics of cameras end in."""
    parts = recording.streams.camera.strip("/").split("/")
    known = ("image_raw", "compressed", "image_rect", "image_color")
    return "_".join(part for part in parts if part not in known) or "endoscope"


def _poses(bag: Bag, ending: str) -> tuple[np.ndarray, np.ndarray]:
    """The poses of a topic: stamps (N,), ns, and components (N, 7). Quaternions keep their sign."""
    topics = [
        topic for topic, kind in bag.topics.items() if topic.endswith(ending) and kind == POSE
    ]
    stamps: list[int] = []
    found: list[tuple[float, ...]] = []
    for raw in bag.messages(set(topics)):
        try:
            message = bag.decode(raw)
        except ValueError:
            continue
        stamp, pose = stamp_of(message), message.pose
        if stamp <= (stamps[-1] if stamps else 0):
            continue
        p, q = pose.position, pose.orientation
        stamps.append(stamp)
        found.append((p.x, p.y, p.z, q.x, q.y, q.z, q.w))
    if not stamps:
        raise DataError(f"no usable pose on a topic that ends in {ending}", where=bag.name)
    values = np.array(found)
    turns = np.sign((values[1:, 3:] * values[:-1, 3:]).sum(1))
    values[1:, 3:] *= np.cumprod(np.where(turns < 0, -1, 1))[:, None]
    return np.array(stamps, np.int64), values


def _interpolated(stamps: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Poses at the times `at` (R,), ns: float32 (R, 7) with unit quaternions."""
    after = np.searchsorted(stamps, at).clip(0, len(stamps) - 1)
    near = np.minimum(abs(stamps[after] - at), abs(stamps[(after - 1).clip(0)] - at))
    if near.max() > 1e9 * MAX_SKEW:
        raise DataError(f"no pose of the arm within {MAX_SKEW:g} s of a frame")
    origin = at[0]
    found = np.stack(
        [np.interp((at - origin) / 1e9, (stamps - origin) / 1e9, column) for column in values.T], 1
    )
    norm = np.linalg.norm(found[:, 3:], axis=1, keepdims=True)
    found[:, 3:] = np.divide(found[:, 3:], norm, where=norm > 0, out=found[:, 3:])
    return found.astype(np.float32)
