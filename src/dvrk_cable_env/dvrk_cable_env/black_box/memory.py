"""The newest messages of several topics, bounded in time and in bytes. No ROS."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import NamedTuple

from ls3_common import topics
from ls3_common.parameters import parameter

MB = 10**6


@dataclasses.dataclass(frozen=True)
class BlackBoxConfig:
    """Parameters of black_box; the description of a field says meaning and unit."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    camera: str = parameter(
        topics.CAMERA_IMAGE,
        description="the camera's topic, of type CompressedImage if it ends in /compressed",
    )
    out: str = parameter("black_box", description="directory of the bags", is_path=True)
    seconds: float = parameter(
        60.0, description="how much of the past is kept", unit="s", low=1.0, high=600.0
    )
    after: float = parameter(
        2.0,
        description="how much of what follows the latch is kept too",
        unit="s",
        low=0.0,
        high=30.0,
    )
    memory: int = parameter(
        400,
        description="most memory for messages; beyond it the topic that takes most, the camera's, "
        "loses its oldest",
        unit="MB",
        low=1,
        high=64_000,
    )
    disk: int = parameter(
        4000,
        description="most disk for all bags of this directory; beyond it the oldest are deleted",
        unit="MB",
        low=1,
        high=1_000_000,
    )


class Kept(NamedTuple):
    """One message. topic: relative name. received: wall time, ns. data: serialised."""

    topic: str
    received: int
    data: bytes


class Memory:
    """Keeps the messages of the last seconds, and of each topic the one in force before them.

    Args:
        seconds: how much of the past is kept, s.
        most: most bytes of all messages.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._span, self._most = int(seconds * 1e9), most
        self._topics: dict[str, deque[Kept]] = {}
        self._sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes of all kept messages."""
        return sum(self._sizes.values())

    def add(self, message: Kept) -> None:
        """Keep a message, and drop what is too old or too much."""
        kept = self._topics.setdefault(message.topic, deque())
        kept.append(message)
        self._sizes[message.topic] = self._sizes.get(message.topic, 0) + len(message.data)
        self._drop_old(message.topic, message.received)
        while self.size > self._most:
            self._drop(max(self._sizes, key=self._sizes.__getitem__))

    def messages(self, now: int) -> list[Kept]:
        """Return what is kept at the time `now` (ns), in the order of receipt."""
        for topic in self._topics:
            self._drop_old(topic, now)
        found = (message for kept in self._topics.values() for message in kept)
        return sorted(found, key=lambda message: message.received)

    def _drop_old(self, topic: str, now: int) -> None:
        kept = self._topics[topic]
        while len(kept) > 1 and kept[1].received <= now - self._span:
            self._drop(topic)

    def _drop(self, topic: str) -> None:
        self._sizes[topic] -= len(self._topics[topic].popleft().data)
