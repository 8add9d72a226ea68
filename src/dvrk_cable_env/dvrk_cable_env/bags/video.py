"""Videos with time-stamp side-cars, as the dVRK's own recorder writes them, in the camera's place.

`record` of jhu-dvrk/dvrk_data writes an MP4 file and beside it a JSON side-car of the type
``dvrk_data:video_sidecar@1.0.0`` (its share/schemas/video_sidecar.schema.json) that has the times
of every frame. A frame's stamp is when its source made it, else when the recorder received it;
both are nanoseconds of CLOCK_REALTIME, as the stamps and the recording times of a bag are on a
robot. `estimated_latency_ms` is of the operator's display and is not subtracted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from dvrk_cable_env.bags.frames import CameraFrame
from dvrk_cable_env.bags.reading import sample
from dvrk_cable_env.camera.segmentation import Image
from ls3_common.errors import DataError

TYPE = "dvrk_data:video_sidecar@1.0.0"
EYES = ("left", "right")
SLACK = 10**9
"""Nanoseconds before and after a bag in which a frame may still belong to it."""


class Gap(NamedTuple):
    """Time (ns, log) of which there are no pictures, and why."""

    begin: int
    end: int
    reason: str


@dataclasses.dataclass(frozen=True)
class RecordedVideo:
    """One MP4 file. stamps: ns per frame, 0 where unknown; logs: ns, when it was received."""

    sidecar: Path
    file: Path
    stamps: tuple[int, ...]
    logs: tuple[int, ...]
    half: str = ""
    """Which half of each picture is the wanted eye's: first, second; empty: all of it."""

    def during(self, begin: int, end: int) -> bool:
        """Whether it shows something of this time (ns, log)."""
        return self.logs[0] <= end + SLACK and self.logs[-1] >= begin - SLACK

    def fingerprint(self) -> str:
        """12 hexadecimal digits over side-car and video."""
        digest = hashlib.sha256(self.half.encode())
        for file in (self.sidecar, self.file):
            if file.is_file():
                sample(digest, file)
        return digest.hexdigest()[:12]


def read_video(path: Path, eye: str) -> RecordedVideo:
    """Read a side-car; `path` is it, or the MP4 beside it. `eye` chooses the half of a stereo one.

    Raises:
        DataError: there is no side-car, or it is none; the video itself is not looked at.
    """
    sidecar = path.with_suffix(".json")
    try:
        document = json.loads(sidecar.read_text())
    except OSError as error:
        do = "a recorder that was killed writes none; give the .json file or the .mp4 beside it"
        raise DataError(f"no side-car: {error.strerror}", where=str(sidecar), do=do) from None
    except ValueError as error:
        raise DataError(f"not JSON ({error})", where=str(sidecar)) from None
    kind = document.get("type") if isinstance(document, dict) else None
    if kind != TYPE:
        raise DataError(f"a side-car of type {kind!r}, expected '{TYPE}'", where=str(sidecar))
    try:
        frames = document["frames"]
        if [frame["frame_index"] for frame in frames] != list(range(len(frames))) or not frames:
            raise ValueError("frames that are not numbered 0, 1, 2 ...")
        times = [frame["cpu"]["realtime"] for frame in frames]
        logs = tuple(_number(time["recorder_reception_ns"]) for time in times)
        if list(logs) != sorted(logs):
            raise ValueError("frames whose times of reception are not in order")
        file = sidecar.parent / Path(str(document["video_file"])).name
        half = _half(document["side_by_side"], eye)
        return RecordedVideo(sidecar, file, tuple(map(_stamp, times)), logs, half)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"no '{error.args[0]}'" if isinstance(error, KeyError) else str(error)
        raise DataError(f"a damaged side-car: {what}", where=str(sidecar)) from None


def video_frames(
    videos: Sequence[RecordedVideo], begin: int, end: int
) -> Iterator[CameraFrame | Gap]:
    """The pictures of this time (ns, log) in order, and gaps where they cannot be had.

    A frame's pixels must be asked for before the next frame is.
    """
    for video in sorted(videos, key=lambda one: one.logs[0]):
        if not video.during(begin, end):
            continue
        for found in _decoded(video):
            inside = isinstance(found, Gap) or begin - SLACK <= found.log <= end + SLACK
            if inside:
                yield found


def _decoded(video: RecordedVideo) -> Iterator[CameraFrame | Gap]:
    def gap(reason: str, index: int = 0) -> Gap:
        return Gap(video.logs[index], video.logs[-1], f"{video.file.name}: {reason}")

    if not video.file.is_file():
        yield gap("no such video beside its side-car")
        return
    capture = cv2.VideoCapture(str(video.file), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            yield gap("not a video that OpenCV can read")
            return
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if count != len(video.logs):
            yield gap(
                f"{count} frames, but {len(video.logs)} time stamps in its side-car: which belongs "
                "to which cannot be told"
            )
            return
        for index, (stamp, log) in enumerate(zip(video.stamps, video.logs, strict=True)):
            if not capture.grab():
                yield gap(f"cannot be decoded from frame {index} on", index)
                return
            yield CameraFrame(stamp, log, partial(_pixels, capture, video.half))
    finally:
        capture.release()


def _pixels(capture: cv2.VideoCapture, half: str) -> Image:
    there, picture = capture.retrieve()
    if not there:
        raise ValueError("a frame of the video that OpenCV cannot decode")
    middle = picture.shape[1] // 2
    columns = {"first": slice(0, middle), "second": slice(middle, None), "": slice(None)}[half]
    return np.asarray(picture[:, columns, ::-1], np.uint8)


def _half(side_by_side: str, eye: str) -> str:
    if side_by_side == "undefined":
        return ""
    if side_by_side not in ("LR", "RL"):
        raise ValueError(f"side_by_side is '{side_by_side}', expected undefined, LR or RL")
    return "first" if side_by_side[0].lower() == eye[0] else "second"


def _stamp(time: dict[str, Any]) -> int:
    """When a frame was made: by its source, for two eyes the middle, else by its reception (ns)."""
    source = time.get("mono_source_ns")
    if source is not None:
        return _number(source)
    eyes = [time.get(f"{eye}_source_ns") for eye in EYES]
    known = [_number(eye) for eye in eyes if eye is not None]
    return sum(known) // len(known) if known else _number(time["recorder_reception_ns"])


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise ValueError(f"{value!r} is no time in nanoseconds")
    return value
