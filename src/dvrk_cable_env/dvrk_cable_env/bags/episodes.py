"""Second pass over a bag: pictures become states, and segments become episodes, one at a time.

What is kept of a picture is its mask of 4 kB, so that memory depends on the length of an episode
and not on that of the recording.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from dvrk_cable_env.bags.frames import CameraFrame, Judge, bag_frames
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import BagFault, Streams
from dvrk_cable_env.bags.segments import SLACK, Segment
from dvrk_cable_env.bags.steps import Rules, make_steps
from dvrk_cable_env.bags.streams import JUMP
from dvrk_cable_env.bags.video import Gap, RecordedVideo, video_frames


@dataclasses.dataclass
class BagEpisode:
    """One episode as recorded, or the reason why there is none (`fault`).

    observations: uint8 (T + 1, side, side, 1); actions: float32 (T, 2), metres; success and
    constraint: bool (T,), of s_{t+1}, of each frame by itself. skew: largest distance in time (s)
    of a state's frame from what it belongs to. drops: frames that were not usable, by reason.
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


def read_episodes(
    bag: Bag,
    segments: Sequence[Segment],
    streams: Streams,
    rules: Rules,
    videos: Sequence[RecordedVideo] = (),
) -> Iterator[BagEpisode]:
    """The episodes of these segments, each as soon as its last frame has come.

    With videos the pictures are theirs, and labels come from colours: a task_state belongs to a
    frame of the camera's topic.
    """
    frames: Iterator[CameraFrame | Gap]
    undistort = rules.segmentation.undistort
    if videos and undistort:
        why = "undistort is true, and a video has no camera_info"
        yield from (BagEpisode(segment, why) for segment in segments)
        return
    if videos:
        streams = dataclasses.replace(streams, has_states=False)
        frames = video_frames(videos, *streams.span)
    elif streams.camera:
        frames = bag_frames(bag, streams.camera, undistort)
    else:
        yield from (BagEpisode(segment, streams.camera_fault) for segment in segments)
        return
    judge = Judge(rules.segmentation)
    waiting = [_Collector(segment, streams, rules, judge) for segment in segments]
    last = 0
    for frame in frames:
        if isinstance(frame, Gap):
            for one in [one for one in waiting if one.overlaps(frame)]:
                one.refuse(frame.reason)
                waiting.remove(one)
                yield one.finish()
            continue
        stamp = frame.stamp
        active = [one for one in waiting if one.segment.before <= frame.log]
        if stamp == 0 or last - JUMP <= stamp <= last:
            for one in active:
                one.drop("no stamp" if stamp == 0 else "out of order")
            continue
        if not streams.has_states:
            judge.look(frame)
        for one in active:
            if stamp < last:
                one.jump((last - stamp) / 1e9)
            one.offer(frame)
            if one.done(frame.log):
                waiting.remove(one)
                yield one.finish()
        last = stamp
    for one in waiting:
        yield one.finish()


class _Collector:
    """Gathers one episode."""

    def __init__(self, segment: Segment, streams: Streams, rules: Rules, judge: Judge) -> None:
        self.segment, self._streams, self._judge = segment, streams, judge
        self._out = BagEpisode(segment)
        self._masks: list[np.ndarray] = []
        self._frames: list[tuple[int, int]] = []  # stamp, log
        self._labels: list[tuple[bool, bool]] = []
        self._violated = False  # since the last state, by colour
        try:
            self._steps = make_steps(segment, streams, rules)
        except BagFault as fault:
            self._out.fault = str(fault)

    def done(self, log: int) -> bool:
        """Whether no later frame matters."""
        # a stop mark may be recorded before the frame that its operator had seen
        end = self.segment.end + (SLACK if self.segment.marked else 0)
        return bool(self._out.fault) or self._steps.complete or log > end

    def overlaps(self, gap: Gap) -> bool:
        """Whether there are no pictures of a part of it."""
        return self.segment.begin <= gap.end and self.segment.end >= gap.begin

    def refuse(self, reason: str) -> None:
        """It cannot be imported, unless for another reason already."""
        self._out.fault = self._out.fault or reason

    def drop(self, reason: str) -> None:
        if self._frames:
            self._out.drops[reason] += 1

    def jump(self, back: float) -> None:
        """The camera's clock has jumped back; before s_0 that does not matter."""
        if self._frames:
            self._out.fault = f"the camera's clock jumped back by {back:.3g} s within it"

    def offer(self, frame: CameraFrame) -> None:
        """A frame that may be the next state."""
        if self._out.fault:
            return
        try:
            wanted = self._steps.wants(frame)
            if wanted or (self._frames and not self._streams.has_states):
                self._look(frame, wanted)
        except BagFault as fault:
            self._out.fault = str(fault)
        except ValueError as error:
            self._out.drops[str(error)] += 1

    def _look(self, frame: CameraFrame, wanted: bool) -> None:
        """Label it, and keep it where it is a state; ValueError where that cannot be."""
        if self._streams.has_states:
            state = self._streams.state(frame.stamp, frame.log)
            if state is None:
                raise ValueError("a frame without its task_state")
            label = state.success, state.constraint
        else:
            label = self._judge.judge(frame)
        self._violated |= label[1]
        if not wanted:
            return
        mask = self._judge.mask(frame)
        if self._frames and self._streams.has_states:
            self._violated |= self._seen_between(frame)
        self._masks.append(mask)
        self._labels.append((label[0], self._violated))
        self._frames.append((frame.stamp, frame.log))
        self._violated = False
        self._steps.take(frame)

    def _seen_between(self, frame: CameraFrame) -> bool:
        """A violation counts also where the frame after the motion no longer shows it."""
        before, since = self._frames[-1]
        found = self._streams.violations
        first = bisect_left(found, (since - JUMP, 0))
        last = bisect_left(found, (frame.log + JUMP, 0))
        return any(before < stamp <= frame.stamp for _, stamp in found[first:last])

    def finish(self) -> BagEpisode:
        """All that was gathered; with a fault, why that is not enough."""
        out = self._out
        if out.fault:
            return out
        out.actions_from = self._steps.kind
        out.labels_from = "task_state" if self._streams.has_states else "colour"
        try:
            if len(self._frames) < 2:
                raise BagFault(self._nothing())
            if self._labels[0][1]:
                raise BagFault("the start state violates a constraint")
            out.actions, out.skew = self._steps.actions(self._frames)
        except BagFault as fault:
            out.fault = str(fault)
            return out
        out.unfinished = self._steps.unfinished
        out.observations = np.stack(self._masks)
        out.stamps = [stamp for stamp, _ in self._frames]
        labels = np.array(self._labels[1:])
        out.success, out.constraint = labels[:, 0], labels[:, 1]
        self._obey_marks(out)
        return out

    def _nothing(self) -> str:
        if self._out.drops:
            reason, count = self._out.drops.most_common(1)[0]
            return f"no step in it: {count} frames were not usable ({reason})"
        return "no step in it" if self._frames else "no step in it: no frame of its start state"

    def _obey_marks(self, out: BagEpisode) -> None:
        """What the operator said counts more than what is seen, from then to the end."""
        logs = np.array([log for _, log in self._frames[1:]])
        for mark, labels in (
            (self.segment.success_from, out.success),
            (self.segment.violation_from, out.constraint),
        ):
            if mark is not None:
                labels |= logs >= mark
                labels[-1] = True
                out.labels_from += ", marks"
