"""A LeRobot data set as a recording: its rows become the streams that a bag would hold.

Two kinds are told apart by their features. Rows of *poses* name positions x, y, z, as in
Open-H-Embodiment. They are read like a bag without commands: a state every period, actions from
differences of the position, and masks of the frames. Rows of *steps* have an action of the
domain's size and no positions: each row is one step, as our own export writes it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dvrk_cable_env.arm.limits import AXES, ROUNDING
from dvrk_cable_env.bags.episodes import BagEpisode, collect_episodes
from dvrk_cable_env.bags.frames import CameraFrame, Labeller
from dvrk_cable_env.bags.reading import sample
from dvrk_cable_env.bags.records import RecordedTaskState, Setpoints, Streams
from dvrk_cable_env.bags.segments import Segment
from ls3.data.lerobot_files import INFO, LeRobotFiles, decoded, open_files
from ls3.data.registry import ImportOptions
from ls3_common.errors import DataError

BASE = 10**9
"""Stamp of the first row of an episode, ns: 0 would mean that a stamp is unknown."""
AGREEMENT = 0.02
"""Largest median distance (m) between the positions of action and state, if the action is one."""
OUTCOMES = {"failure": False, "success": True, "perfect": True, "recovery": True}
"""Splits that say how an episode ended; the first that has the episode counts."""
TIME = "observation.meta.time"
"""Feature with the measured time of a row, s since the first, where the clock is nominal."""


class LeRobotRecording:
    """An open LeRobot data set."""

    cut = ""

    def __init__(self, root: Path, options: ImportOptions) -> None:
        """Open the data set in directory `root`.

        Raises:
            DataError: it cannot be read, has no action or picture, or the choice is not clear.
        """
        self._files, self._options = open_files(root), options
        self.name = root.resolve().name
        self.drops: Counter[str] = Counter()
        self._camera = _camera(self._files, options.rules.names.camera)
        self._positions = _positions(self._files, options.rules.names.arm)
        size = len(self._files.names("action")) or _size(self._files, "action")
        if not self._positions and size != AXES:
            names = self._files.names("action") + self._files.names("observation.state")
            raise DataError(
                f"neither positions x, y, z of one arm nor actions of {AXES} numbers among "
                f"{', '.join(names) or 'features without names'}",
                where=str(root / INFO),
                do="with several arms, choose with --arm",
            )
        digest = hashlib.sha256(f"{self._camera} {self._positions}".encode())
        for path in sorted(root.glob("meta/**/*")):
            if path.is_file():
                sample(digest, path)
        self.digest = digest.hexdigest()[:12]
        self._outcomes = _outcomes(self._files)
        self.segments: Sequence[Segment] = [
            Segment(index, source=self._source(index)) for index in self._files.episodes
        ]

    def _source(self, index: int) -> str:
        """The kind that the data set names: our own exports do, and a failure teaches no goal."""
        named = self._files.episodes[index].get("source")
        return str(named) if named else "random" if self._outcomes.get(index) is False else ""

    def episodes(self, segments: Sequence[Segment]) -> Iterator[BagEpisode]:
        """Yield the episode of each of these segments, or the fault that prevents it."""
        for segment in segments:
            try:
                columns = self._files.table(segment.index)
                read = self._poses if self._positions else self._steps
                yield read(segment, columns)
            except DataError as error:
                yield BagEpisode(segment, _one_line(error))
            except (KeyError, TypeError, ValueError, IndexError) as error:
                yield BagEpisode(segment, f"damaged rows ({_one_line(error)})")

    def _poses(self, segment: Segment, columns: Mapping[str, np.ndarray]) -> BagEpisode:
        stamps = _stamps(columns)
        rules = self._options.rules
        arm = rules.names.arm or "PSM"
        feature, xyz = self._place(columns)
        streams = Streams(arms=[arm], span=(stamps[0], stamps[-1]))
        streams.setpoints = Setpoints(frames={rules.limits.frame or f"{arm}_base"})
        for stamp, place in zip(stamps, xyz, strict=True):
            streams.setpoints.log.append(stamp)
            streams.setpoints.stamp.append(stamp)
            streams.setpoints.xyz.extend(map(float, place))
        labels = self._label(segment, columns, stamps, streams)
        rules = dataclasses.replace(
            rules, actions="setpoints", names=dataclasses.replace(rules.names, arm=arm)
        )
        frames = self._frames(segment, columns, stamps)
        (found,) = collect_episodes(frames, [segment], streams, rules)
        if not found.fault:
            found.actions_from, found.labels_from = feature, labels or found.labels_from
        return found

    def _place(self, columns: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
        """Where the tip is commanded to be, (R, 3), m, and the feature that says so.

        An action may be a displacement although its components are called x, y, z: it counts as a
        position only if it is near the state's.
        """
        found = {name: columns[name][:, places] for name, places in self._positions.items()}
        if any(not np.isfinite(xyz).all() for xyz in found.values()):
            raise ValueError("a position that is not finite")
        if len(found) == 2:
            gap = np.linalg.norm(found["action"] - found["observation.state"], axis=1)
            name = "action" if np.median(gap) <= AGREEMENT else "observation.state"
            return name, found[name]
        if "action" in found:
            raise ValueError("no position in observation.state to tell whether actions are poses")
        return "observation.state", found["observation.state"]

    def _label(
        self,
        segment: Segment,
        columns: Mapping[str, np.ndarray],
        stamps: Sequence[int],
        streams: Streams,
    ) -> str:
        """Fill in what the data set itself says of success and violation; say where it stands."""
        if "next.success" in columns:
            success = np.asarray(columns["next.success"], bool).ravel()
            violation = np.asarray(columns.get("next.constraint", np.zeros(len(success))), bool)
            labels = [(False, False), *zip(success[:-1], violation.ravel()[:-1], strict=True)]
            text = "next.success"
        elif segment.index in self._outcomes:
            labels, text = [(False, False)] * len(stamps), "split"
            segment.success_from = stamps[-1] if self._outcomes[segment.index] else None
        else:
            return ""
        streams.has_task_states = True
        for stamp, (success_now, violated) in zip(stamps, labels, strict=True):
            state = RecordedTaskState(stamp, bool(success_now), bool(violated))
            streams.task_states[stamp] = [state]
            if violated:
                streams.violations.append((stamp, stamp))
        return text

    def _frames(
        self, segment: Segment, columns: Mapping[str, np.ndarray], stamps: Sequence[int]
    ) -> Iterator[CameraFrame]:
        for stamp, picture in zip(stamps, self._pictures(segment, columns), strict=True):
            yield CameraFrame(stamp, stamp, partial(np.asarray, picture))

    def _pictures(
        self, segment: Segment, columns: Mapping[str, np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Yield one picture per row, uint8 (height, width, 3)."""
        if self._files.features[self._camera].get("dtype") == "video":
            count = len(columns["episode_index"])
            return self._files.pictures(segment.index, self._camera, count)
        return map(decoded, columns[self._camera])

    def _steps(self, segment: Segment, columns: Mapping[str, np.ndarray]) -> BagEpisode:
        """Rows as steps: s_t and a_t in row t. Our own export keeps s_T beside the rows."""
        pictures = list(self._pictures(segment, columns))
        last = self._files.episodes[segment.index].get("last_image")
        if last:
            pictures.append(decoded({"bytes": bytes.fromhex(last)}))
        steps = len(pictures) - 1
        actions = np.asarray(columns["action"][:steps], np.float32).reshape(steps, AXES)
        stamps = _stamps(columns)
        if steps < 1:
            return BagEpisode(segment, "no steps")
        largest = float(np.abs(actions).max())
        if not largest <= self._options.rules.limits.max_step + ROUNDING:
            limit = self._options.rules.limits.max_step
            return BagEpisode(segment, f"an action of {largest:.3g} m, the limit is {limit:g} m")
        found = BagEpisode(segment, actions=actions, actions_from="action")
        gap = stamps[-1] - stamps[-2] if len(stamps) > 1 else round(1e9 / self._files.fps)
        found.stamps = [*stamps, stamps[-1] + gap][: steps + 1]
        found.success, found.constraint = np.zeros(steps, bool), np.zeros(steps, bool)
        self._judge(found, columns, pictures)
        return found

    def _judge(
        self, found: BagEpisode, columns: Mapping[str, np.ndarray], pictures: list[np.ndarray]
    ) -> None:
        """Fill in masks and labels of an episode of steps."""
        labeller = Labeller(self._options.rules.segmentation)
        height, width, channels = self._options.observation_shape
        if channels == 1 and all(one.shape[:2] == (height, width) for one in pictures):
            found.observations = np.stack([one[:, :, :1] for one in pictures])
        else:
            found.observations = np.stack([labeller.mask(_frame(one)) for one in pictures])
        steps = len(found.actions)
        if "next.success" in columns:
            found.labels_from = "next.success"
            found.success |= np.asarray(columns["next.success"][:steps], bool).ravel()
            if "next.constraint" in columns:
                found.constraint |= np.asarray(columns["next.constraint"][:steps], bool).ravel()
        elif found.segment.index in self._outcomes:
            found.labels_from = "split"
            found.success[-1] = self._outcomes[found.segment.index]
        else:
            found.labels_from = "colour"
            labeller.offer_reference(_frame(pictures[0]))
            labels = np.array([labeller.label(_frame(one)) for one in pictures[1:]])
            found.success, found.constraint = labels[:, 0], labels[:, 1]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _frame(picture: np.ndarray) -> CameraFrame:
    return CameraFrame(BASE, BASE, partial(np.asarray, picture))


def _stamps(columns: Mapping[str, np.ndarray]) -> list[int]:
    """The times of the rows, ns, from `BASE` on."""
    times = np.asarray(columns.get(TIME, columns["timestamp"]), np.float64).ravel()
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise ValueError("time stamps that do not increase")
    return [BASE + round(1e9 * float(time)) for time in times - times[0]]


def _camera(files: LeRobotFiles, wanted: str) -> str:
    """The feature of the pictures, chosen by its name or the end of its name."""
    found = [key for key, one in files.features.items() if one.get("dtype") in ("video", "image")]
    chosen = [key for key in found if key == wanted or key.endswith(f".{wanted}")]
    chosen = chosen if wanted else found
    if len(chosen) == 1:
        return chosen[0]
    what = f"cameras {', '.join(found)}" if found else "no camera"
    raise DataError(f"{what}: choose one with --camera" if found else what, where=str(files.root))


def _positions(files: LeRobotFiles, arm: str) -> dict[str, list[int]]:
    """Places of x, y, z of one arm among the components of action and state, by feature."""
    found = {}
    for feature in ("action", "observation.state"):
        names = [name.lower() for name in files.names(feature)]
        stems = dict.fromkeys(name[:-1] for name in names if re.search(r"(^|[._/ ])x$", name))
        triples = [
            [names.index(f"{stem}{axis}") for axis in "xyz"]
            for stem in stems
            if not re.search("orient|rot|quat", stem)
            and all(f"{stem}{axis}" in names for axis in "xyz")
            and (not arm or arm.lower() in stem or not re.search(r"psm\d", stem))
        ]
        if len(triples) == 1:
            found[feature] = triples[0]
    return found


def _size(files: LeRobotFiles, feature: str) -> int:
    shape = files.features.get(feature, {}).get("shape")
    return int(shape[0]) if isinstance(shape, list) and len(shape) == 1 else 0


def _outcomes(files: LeRobotFiles) -> dict[int, bool]:
    """Whether each episode succeeded, as far as the splits ``{"failure": "140:150"}`` say."""
    splits = files.info.get("splits")
    found: dict[int, bool] = {}
    for name, outcome in OUTCOMES.items():
        text = splits.get(name) if isinstance(splits, dict) else None
        match = re.fullmatch(r"\s*(\d{1,9})\s*:\s*(\d{1,9})\s*", str(text))
        inside = range(int(match[1]), int(match[2])) if match else ()
        found |= {i: outcome for i in files.episodes if i in inside and i not in found}
    return found
