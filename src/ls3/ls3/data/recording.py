"""What the importer needs of a recording, whatever its format; and how a bag provides it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from dvrk_cable_env.bags.episodes import BagEpisode, read_episodes
from dvrk_cable_env.bags.frames import CameraFrame, bag_frames
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import Streams
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.segments import Segment, find_segments
from dvrk_cable_env.bags.streams import read_streams
from dvrk_cable_env.bags.video import Gap, RecordedVideo, video_frames


class Recording(Protocol):
    """A recording of episodes, open for reading.

    name: of the recording; the importer's names of episodes begin with it.
    digest: fingerprint of everything that is read, 12 hexadecimal digits.
    segments: the episodes in the recording.
    """

    name: str
    digest: str
    segments: Sequence[Segment]

    @property
    def cut(self) -> str:
        """Why the recording is incomplete, as far as has been read; empty if complete."""

    @property
    def drops(self) -> Counter[str]:
        """Numbers of messages that were not used, by reason."""

    def episodes(self, segments: Sequence[Segment]) -> Iterator[BagEpisode]:
        """Yield the episode of each of these segments, or the fault that prevents it."""


class BagRecording:
    """A bag, with the videos that were recorded beside it in place of its camera's topic.

    bag, streams: the bag, and its messages without the pictures. arms: the arms that may be meant.
    """

    def __init__(
        self,
        bag: Bag,
        rules: Rules,
        videos: Sequence[RecordedVideo] = (),
        video_fault: str = "",
        name: str = "",
    ) -> None:
        """Read all messages but the pictures.

        Args:
            bag: the bag.
            rules: how recordings become episodes.
            videos: used instead of the camera's topic, as far as they are of the bag's time.
            video_fault: why further videos cannot be read; empty if all can.
            name: of the recording; empty: the bag's.
        """
        self.bag, self.name, self._rules = bag, name or bag.name, rules
        self.streams: Streams = read_streams(bag, rules.names)
        self._videos = [video for video in videos if video.during(*self.streams.span)]
        if not self._videos and (videos or video_fault):
            self.streams.camera = ""
            self.streams.camera_fault = video_fault or "no video from the time of the bag"
        prints = [bag.fingerprint(), *(video.fingerprint() for video in self._videos)]
        several = hashlib.sha256(" ".join(prints).encode()).hexdigest()[:12]
        self.digest = several if self._videos else prints[0]
        self.arms = [rules.names.arm] if rules.names.arm else self.streams.arms
        self.segments: Sequence[Segment] = find_segments(self.streams, bag.cut)

    @property
    def cut(self) -> str:
        """Why the bag is incomplete, as far as has been read; empty if complete."""
        return self.bag.cut

    @property
    def drops(self) -> Counter[str]:
        """Numbers of messages that were not used, by reason."""
        return self.streams.drops

    def episodes(self, segments: Sequence[Segment]) -> Iterator[BagEpisode]:
        """Yield the episode of each of these segments, or the fault that prevents it."""
        return read_episodes(self.bag, segments, self.streams, self._rules, self._videos)

    def frames(self) -> Iterator[CameraFrame | Gap]:
        """Yield all camera frames as they were recorded, without correction of the lens."""
        if self._videos:
            return video_frames(self._videos, *self.streams.span)
        return iter(bag_frames(self.bag, self.streams.camera) if self.streams.camera else ())
