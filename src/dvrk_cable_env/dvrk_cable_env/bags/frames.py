"""Pictures of a bag: decoded only where needed, masked and judged as the deployment does it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np

from dvrk_cable_env.bags.reading import Bag, Raw
from dvrk_cable_env.bags.records import BagFault
from dvrk_cable_env.camera.lens import Calibration, Lens, LensError, calibration_of
from dvrk_cable_env.camera.segmentation import (
    FrameError,
    Image,
    SegmentationConfig,
    TaskMasks,
    segment_cable,
    task_masks,
    task_state,
)
from ls3_common import topics
from ls3_common.images import to_array

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


def stamp_of_raw(raw: Raw) -> int:
    """Stamp (ns) of a message that begins with a header, without decoding the rest of it.

    Raises:
        ValueError: it is too short.
    """
    if len(raw.data) < 12:
        raise ValueError("too short for a header")
    order = "<" if raw.data[1] & 1 else ">"  # CDR's encapsulation says which byte comes first
    seconds, rest = struct.unpack_from(f"{order}iI", raw.data, 4)
    return int(seconds) * 10**9 + int(rest)


class CameraFrame:
    """One camera frame; its pixels are decoded once, when first asked for.

    stamp: ns by the robot's clock, 0 where unknown; log: ns by the recorder's; lens: what it is
    corrected by, None where nothing is.
    """

    def __init__(
        self, stamp: int, log: int, decode: Callable[[], Image], lens: Calibration | None = None
    ) -> None:
        self.stamp, self.log, self.lens = stamp, log, lens
        self._decode = decode
        self._rgb: Image | None = None

    def rgb(self) -> Image:
        """Pixels, uint8 (height, width, 3).

        Raises:
            ValueError: bytes, encoding or size are not those of a picture.
            BagFault: its lens cannot be corrected, nor will that of the next frame.
        """
        if self._rgb is None:
            self._rgb = np.ascontiguousarray(self._decode())
        return self._rgb


def bag_frames(bag: Bag, topic: str, undistort: bool = False) -> Iterator[CameraFrame]:
    """The frames of a camera's topic, in the order in which they were recorded.

    With `undistort` each is corrected as segmentation_node does it: by the camera_info that was
    recorded last before it, and before the first one not at all.
    """
    if not undistort:
        for raw in bag.messages({topic}):
            yield CameraFrame(_stamp(raw), raw.log, partial(_pixels, bag, raw))
        return
    info = topics.beside(topic, "camera_info")
    lens, said = None, b""
    if bag.topics.get(info) != CAMERA_INFO:
        lens = Lens(f"undistort is true, and the bag has no {info}")
    for raw in bag.messages({topic, info}):
        if raw.topic == topic:
            known = lens.calibration if lens else None
            yield CameraFrame(_stamp(raw), raw.log, partial(_corrected, bag, raw, lens), known)
        elif bag.topics[info] == CAMERA_INFO and raw.data[12:] != said:  # after the stamp
            said, lens = raw.data[12:], _lens(bag, raw)


class Judge:
    """Masks of frames, and labels by colour where the bag has no task_state."""

    def __init__(self, config: SegmentationConfig) -> None:
        self.config = config
        self._reference: TaskMasks | None = None
        self._reference_lens: Calibration | None = None
        self.fault = "no frame has come yet"
        """Why there is no reference yet: the last frame's reason."""

    def mask(self, frame: CameraFrame) -> Image:
        """What the networks see: uint8 (side, side, 1).

        Raises:
            ValueError: the frame is unusable; FrameError says how.
        """
        return segment_cable(frame.rgb(), self.config)[:, :, None]

    def look(self, frame: CameraFrame) -> None:
        """The first frame with goal and obstacle is the reference, as in segmentation_node."""
        if self._reference is None:
            try:
                self._reference = task_masks(frame.rgb(), self.config)
                self._reference_lens = frame.lens
            except ValueError as error:
                self.fault = str(error)

    def judge(self, frame: CameraFrame) -> tuple[bool, bool]:
        """(success, constraint) of a frame by colour.

        Raises:
            ValueError: the frame is unusable, or there is no reference.
            BagFault: the reference frame has another lens.
        """
        if self._reference is None:
            raise FrameError(f"no task_state, and no reference for labels by colour: {self.fault}")
        if frame.lens != self._reference_lens:
            raise BagFault("camera_info has changed since the reference frame")
        return task_state(frame.rgb(), self._reference, self.config)


def _stamp(raw: Raw) -> int:
    return stamp_of_raw(raw) if len(raw.data) >= 12 else 0


def _lens(bag: Bag, raw: Raw) -> Lens:
    """That of a camera_info; one that cannot be read is no lens."""
    lens = Lens("")
    try:
        lens.hear(calibration_of(bag.decode(raw)))
    except ValueError as error:
        return Lens(f"{raw.topic}: {error}")
    return lens


def _corrected(bag: Bag, raw: Raw, lens: Lens | None) -> Image:
    if lens is None:
        raise FrameError("undistort is true, and no camera_info has come before it")
    try:
        return lens.correct(np.ascontiguousarray(_pixels(bag, raw)))
    except LensError as error:
        raise BagFault(str(error)) from None


def _pixels(bag: Bag, raw: Raw) -> Image:
    message = bag.decode(raw)
    compressed = "Compressed" in bag.topics[raw.topic]
    return _uncompressed(message) if compressed else to_array(message)


def _uncompressed(message: Any) -> Image:
    data = np.asarray(message.data, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        raise ValueError(f"a compressed image ('{message.format}') that OpenCV cannot read")
    return np.asarray(pixels[..., ::-1], np.uint8)
