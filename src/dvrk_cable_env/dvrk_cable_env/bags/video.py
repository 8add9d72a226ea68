"""Recorded videos with time-stamp side-cars, which replace the camera's topic of a bag.

`record` of jhu-dvrk/dvrk_data writes an MP4 file and a JSON side-car with the times of every frame,
of the type ``dvrk_data:video_sidecar@1.0.0`` (its share/schemas/video_sidecar.schema.json). The
stamp of a frame is the time at its source, else the time of reception by the recorder. Both are
nanoseconds of CLOCK_REALTIME, like the stamps and recording times of a bag on a robot.
`estimated_latency_ms` belongs to the operator's display and is not subtracted.
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
from ls3_common.system_errors import refuse_pointer, unreadable

TYPE = "dvrk_data:video_sidecar@1.0.0"
EYES = ("left", "right")
SLACK = 10**9
"""Nanoseconds by which a frame may lie outside a bag's span and still belong to the bag."""


class Gap(NamedTuple):
    """A time without pictures, from `begin` to `end` (log, ns), and the reason."""

    begin: int
    end: int
    reason: str


@dataclasses.dataclass(frozen=True)
class RecordedVideo:
    """One MP4 file with its side-car.

    stamps: time of each frame at its source, ns; 0 if unknown.
    logs: time of each frame's reception by the recorder, ns.
    half: which half of a stereo picture to use, `first` or `second`; empty: the whole picture.
    """

    sidecar: Path
    file: Path
    stamps: tuple[int, ...]
    logs: tuple[int, ...]
    half: str = ""

    def during(self, begin: int, end: int) -> bool:
        """Whether any frame lies between `begin` and `end` (log, ns), `SLACK` included."""
        return self.logs[0] <= end + SLACK and self.logs[-1] >= begin - SLACK

    def fingerprint(self) -> str:
        """12 hexadecimal digits of a hash over side-car and video."""
        digest = hashlib.sha256(self.half.encode())
        for file in (self.sidecar, self.file):
            if file.is_file():
                sample(digest, file)
        return digest.hexdigest()[:12]


def read_video(path: Path, eye: str) -> RecordedVideo:
    """Read a side-car; the video itself is not opened.

    Args:
        path: the side-car, or the MP4 file beside it.
        eye: `left` or `right`, the half of a stereo video to use.

    Raises:
        DataError: there is no side-car, or the side-car is damaged or of another type.
    """
    sidecar = path.with_suffix(".json")
    try:
        document = json.loads(sidecar.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        do = "give the .json file or the .mp4 beside it; a recorder that was killed writes none"
        raise DataError(f"no side-car: {error.strerror}", where=str(sidecar), do=do) from None
    except OSError as error:
        raise unreadable(sidecar, error) from None
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
    """Yield the frames recorded from `begin` to `end` (log, ns) in order, and gaps between them.

    A frame's pixels must be read before the next frame is requested.
    """
    for video in sorted(videos, key=lambda video: video.logs[0]):
        if not video.during(begin, end):
            continue
        for found in _decoded(video):
            inside = isinstance(found, Gap) or begin - SLACK <= found.log <= end + SLACK
            if inside:
                yield found


def _decoded(video: RecordedVideo) -> Iterator[CameraFrame | Gap]:
    def gap(reason: str, index: int = 0) -> Gap:
        return Gap(video.logs[index], video.logs[-1], f"{video.file.name}: {reason}")

    try:
        with video.file.open("rb") as stream:
            refuse_pointer(stream.read(1024), video.file)
    except FileNotFoundError:
        yield gap("there is no such video beside its side-car")
        return
    except OSError as error:
        yield gap(unreadable(video.file, error).what)
        return
    except DataError as error:
        yield gap(f"{error.what}: {error.do}")
        return
    capture = cv2.VideoCapture(str(video.file), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            yield gap("OpenCV cannot read the video")
            return
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if count != len(video.logs):
            yield gap(
                f"{count} frames, but {len(video.logs)} time stamps in its side-car: frames and "
                "stamps cannot be matched"
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
    decoded, picture = capture.retrieve()
    if not decoded:
        raise ValueError("OpenCV cannot decode a frame of the video")
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
    """Stamp of a frame (ns): at its source (of two eyes the mean), else of its reception."""
    source = time.get("mono_source_ns")
    if source is not None:
        return _number(source)
    eyes = [time.get(f"{eye}_source_ns") for eye in EYES]
    known = [_number(eye) for eye in eyes if eye is not None]
    return sum(known) // len(known) if known else _number(time["recorder_reception_ns"])


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise ValueError(f"{value!r} is not a time in nanoseconds")
    return value
