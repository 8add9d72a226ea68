"""Second pass over a bag: camera frames become states, and segments become episodes.

Only the mask of a frame is kept (4 kB), so that memory grows with the length of one episode and
not with the length of the recording.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from dvrk_cable_env.bags.frames import CameraFrame, Labeller, bag_frames
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import BagFault, Streams
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.segments import SLACK, Segment
from dvrk_cable_env.bags.steps import SetpointSteps, make_steps
from dvrk_cable_env.bags.streams import JUMP
from dvrk_cable_env.bags.video import Gap, RecordedVideo, video_frames


@dataclasses.dataclass
class BagEpisode:
    """One episode as recorded, or the reason why it cannot be imported.

    segment: where in the bag the episode lies.
    fault: why the episode cannot be imported, and the other fields are not valid; empty if it can.
    observations: masks of s_0..s_T, uint8 (T + 1, side, side, 1).
    actions: displacement of the tip in each step, float32 (T, 2), m.
    success, constraint: whether s_{t+1} is in the goal set, or violates a constraint, bool (T,).
    stamps: of the frames of s_0..s_T, by the robot's clock, ns.
    actions_from: `commands` or `setpoints`. labels_from: `task_state` or `colour`, then `marks`.
    skew: largest delay of a state's frame, or distance of a frame from the nearest setpoint, s.
    unfinished: whether the recording ended before the episode did, as far as can be known.
    drops: number of unusable frames by reason.
    notes: what a person should know of an episode that can be imported.
    """

    segment: Segment
    fault: str = ""
    observations: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0,), np.uint8))
    actions: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), np.float32))
    success: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    constraint: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    stamps: list[int] = dataclasses.field(default_factory=list)
    actions_from: str = ""
    labels_from: str = ""
    skew: float = 0.0
    unfinished: bool = False
    drops: Counter[str] = dataclasses.field(default_factory=Counter)
    notes: list[str] = dataclasses.field(default_factory=list)


def read_episodes(
    bag: Bag,
    segments: Sequence[Segment],
    streams: Streams,
    rules: Rules,
    videos: Sequence[RecordedVideo] = (),
) -> Iterator[BagEpisode]:
    """Yield the episode of each segment as soon as its last frame has been read.

    Args:
        bag: the recording.
        segments: where the episodes lie, from `segments.find_segments`.
        streams: the recording without its pictures, from `streams.read_streams`.
        rules: how to choose states and actions.
        videos: recorded videos that replace the camera's topic. Labels then come from colours,
            because a task_state belongs to a frame of the camera's topic.
    """
    frames: Iterator[CameraFrame | Gap]
    undistort = rules.segmentation.undistort
    if videos and undistort:
        why = "undistort is true, but a video has no camera_info"
        yield from (BagEpisode(segment, why) for segment in segments)
        return
    if videos:
        streams = dataclasses.replace(streams, has_task_states=False)
        frames = video_frames(videos, *streams.span)
    elif streams.camera:
        frames = bag_frames(bag, streams.camera, undistort)
    else:
        yield from (BagEpisode(segment, streams.camera_fault) for segment in segments)
        return
    yield from collect_episodes(frames, segments, streams, rules)


def collect_episodes(
    frames: Iterator[CameraFrame | Gap],
    segments: Sequence[Segment],
    streams: Streams,
    rules: Rules,
) -> Iterator[BagEpisode]:
    """Yield the episode of each segment, made of `frames` in the order of recording.

    The other arguments are those of `read_episodes`.
    """
    labeller = Labeller(rules.segmentation)
    waiting = [_Collector(segment, streams, rules, labeller) for segment in segments]
    last = 0
    for frame in frames:
        if isinstance(frame, Gap):
            for collector in [one for one in waiting if one.overlaps(frame)]:
                collector.refuse(frame.reason)
                waiting.remove(collector)
                yield collector.finish()
            continue
        stamp = frame.stamp
        active = [one for one in waiting if one.segment.frames_from <= frame.log]
        if stamp == 0 or last - JUMP <= stamp <= last:
            for collector in active:
                collector.drop("no stamp" if stamp == 0 else "out of order")
            continue
        if not streams.has_task_states:
            labeller.offer_reference(frame)
        for collector in active:
            if stamp < last:
                collector.clock_jumped_back((last - stamp) / 1e9)
            collector.offer(frame)
            if collector.done(frame.log):
                waiting.remove(collector)
                yield collector.finish()
        last = stamp
    for collector in waiting:
        yield collector.finish()


class _Collector:
    """Gathers the states, labels and actions of one episode."""

    def __init__(
        self, segment: Segment, streams: Streams, rules: Rules, labeller: Labeller
    ) -> None:
        self.segment, self._streams, self._labeller = segment, streams, labeller
        self._out = BagEpisode(segment)
        self._masks: list[np.ndarray] = []
        self._frames: list[tuple[int, int]] = []  # stamp, log
        self._labels: list[tuple[bool, bool]] = []
        self._violated = False  # in any frame since the last state
        try:
            self._steps = make_steps(segment, streams, rules)
        except BagFault as fault:
            self._out.fault = str(fault)

    def done(self, log: int) -> bool:
        """Whether no frame recorded after `log` (ns) can belong to the episode."""
        # the recorder may store a stop mark before the frame that the operator saw
        end = self.segment.end + (SLACK if self.segment.marked else 0)
        return bool(self._out.fault) or self._steps.complete or log > end

    def overlaps(self, gap: Gap) -> bool:
        """Whether the episode lies in part where there are no pictures."""
        return self.segment.begin <= gap.end and self.segment.end >= gap.begin

    def refuse(self, reason: str) -> None:
        """Note why the episode cannot be imported, unless a reason is known already."""
        self._out.fault = self._out.fault or reason

    def drop(self, reason: str) -> None:
        if self._frames:
            self._out.drops[reason] += 1

    def clock_jumped_back(self, back: float) -> None:
        """The camera's clock jumped back by `back` seconds, which matters only after s_0."""
        if self._frames:
            self._out.fault = f"the camera's clock jumped back by {back:.3g} s during the episode"

    def offer(self, frame: CameraFrame) -> None:
        """Take a frame that may be the next state."""
        if self._out.fault:
            return
        try:
            wanted = self._steps.wants(frame)
            if wanted or (self._frames and not self._streams.has_task_states):
                self._add(frame, wanted)
        except BagFault as fault:
            self._out.fault = str(fault)
        except ValueError as error:
            self._out.drops[str(error)] += 1

    def _add(self, frame: CameraFrame, wanted: bool) -> None:
        """Label a frame, and keep the frame if it is a state; ValueError if it is unusable."""
        if self._streams.has_task_states:
            state = self._streams.task_state(frame.stamp, frame.log)
            if state is None:
                raise ValueError("a frame without a task_state")
            label = state.success, state.constraint
        else:
            label = self._labeller.label(frame)
        self._violated |= label[1]
        if not wanted:
            return
        mask = self._labeller.mask(frame)
        if self._frames and self._streams.has_task_states:
            self._violated |= self._violated_before(frame)
        self._masks.append(mask)
        self._labels.append((label[0], self._violated))
        self._frames.append((frame.stamp, frame.log))
        self._violated = False
        self._steps.take(frame)

    def _violated_before(self, frame: CameraFrame) -> bool:
        """Whether any task_state since the last state shows a violation, e.g. during the motion."""
        before, since = self._frames[-1]
        found = self._streams.violations
        first = bisect_left(found, (since - JUMP, 0))
        last = bisect_left(found, (frame.log + JUMP, 0))
        return any(before < stamp <= frame.stamp for _, stamp in found[first:last])

    def finish(self) -> BagEpisode:
        """Return the episode from all that was gathered, or the fault that prevents it."""
        out = self._out
        if out.fault:
            return out
        out.actions_from = self._steps.kind
        out.labels_from = "task_state" if self._streams.has_task_states else "colour"
        try:
            if len(self._frames) < 2:
                raise BagFault(self._why_empty())
            if self._labels[0][1]:
                raise BagFault("the start state violates a constraint")
            out.actions, out.skew = self._steps.actions(self._frames)
        except BagFault as fault:
            out.fault = str(fault)
            return out
        if out.actions_from == SetpointSteps.kind:  # a command is a step, clutched or not
            out.notes = list(self._streams.pause_faults)
        out.unfinished = self._steps.unfinished
        out.observations = np.stack(self._masks)
        out.stamps = [stamp for stamp, _ in self._frames]
        labels = np.array(self._labels[1:])
        out.success, out.constraint = labels[:, 0], labels[:, 1]
        self._apply_marks(out)
        return out

    def _why_empty(self) -> str:
        if self._out.drops:
            reason, count = self._out.drops.most_common(1)[0]
            return f"no steps: {count} frames were not usable ({reason})"
        return "no steps" if self._frames else "no steps: no frame of the start state"

    def _apply_marks(self, out: BagEpisode) -> None:
        """The operator's marks override what was seen, from the mark to the end of the episode."""
        logs = np.array([log for _, log in self._frames[1:]])
        for mark, labels in (
            (self.segment.success_from, out.success),
            (self.segment.violation_from, out.constraint),
        ):
            if mark is not None:
                labels |= logs >= mark
                labels[-1] = True
                out.labels_from += ", marks"
