"""Camera frames of a bag, decoded only when needed, masked and labelled as during deployment."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from dvrk_cable_env.bags.bag_files import Raw
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import BagFault
from dvrk_cable_env.camera.compressed import decompressed
from dvrk_cable_env.camera.lens import Calibration, Lens, LensError, calibration_of
from dvrk_cable_env.camera.segmentation import FrameError, Image, SegmentationConfig, segment_cable
from dvrk_cable_env.camera.task_by_colour import TaskMasks, task_masks, task_state
from ls3_common import topics
from ls3_common.images import to_array

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


def stamp_of_raw(raw: Raw) -> int:
    """Stamp (ns) of a message that begins with a header; the rest is not decoded.

    Raises:
        ValueError: the message is shorter than a header.
    """
    if len(raw.data) < 12:
        raise ValueError("the message is too short for a header")
    order = "<" if raw.data[1] & 1 else ">"  # the encapsulation of CDR states the byte order
    seconds, rest = struct.unpack_from(f"{order}iI", raw.data, 4)
    return int(seconds) * 10**9 + int(rest)


class CameraFrame:
    """One camera frame. Its pixels are decoded once, at the first call of `rgb`.

    stamp: ns by the robot's clock; 0 if unknown.
    log: when the frame was recorded, ns by the recorder's clock.
    lens: the calibration that corrects the frame; None if the frame is not corrected.
    """

    def __init__(
        self, stamp: int, log: int, decode: Callable[[], Image], lens: Calibration | None = None
    ) -> None:
        """A frame whose pixels `decode` returns, uint8 (height, width, 3), RGB."""
        self.stamp, self.log, self.lens = stamp, log, lens
        self._decode = decode
        self._rgb: Image | None = None

    def rgb(self) -> Image:
        """Return the pixels, uint8 (height, width, 3), RGB.

        Raises:
            ValueError: the bytes, encoding or size are not those of a picture.
            BagFault: the lens cannot be corrected; that holds for the following frames too.
        """
        if self._rgb is None:
            self._rgb = np.ascontiguousarray(self._decode())
        return self._rgb


def bag_frames(bag: Bag, topic: str, undistort: bool = False) -> Iterator[CameraFrame]:
    """Yield the frames of a camera's topic in the order in which they were recorded.

    With `undistort` each frame is corrected with the last camera_info recorded before the frame,
    as segmentation_node does it. Before the first camera_info a frame is unusable.
    """
    if not undistort:
        for raw in bag.messages({topic}):
            yield CameraFrame(_stamp(raw), raw.log, partial(picture_of, bag, raw))
        return
    info = topics.of_camera(topic, "camera_info")
    lens, last_info = None, b""
    if bag.topics.get(info) != CAMERA_INFO:
        lens = Lens(f"undistort is true, but the bag has no {info}")
    for raw in bag.messages({topic, info}):
        if raw.topic == topic:
            known = lens.calibration if lens else None
            yield CameraFrame(_stamp(raw), raw.log, partial(_corrected, bag, raw, lens), known)
        elif bag.topics[info] == CAMERA_INFO and raw.data[12:] != last_info:  # without the stamp
            last_info, lens = raw.data[12:], _lens(bag, raw)


class Labeller:
    """Makes masks of frames, and labels frames by colour if the bag has no task_state.

    reference_fault: why there is no reference frame yet.
    """

    def __init__(self, config: SegmentationConfig) -> None:
        """Segment with the colour ranges and crop of `config`."""
        self.config = config
        self._reference: TaskMasks | None = None
        self._reference_lens: Calibration | None = None
        self.reference_fault = "no frame has been read yet"

    def mask(self, frame: CameraFrame) -> Image:
        """Return the mask that the networks see, uint8 (side, side, 1).

        Raises:
            ValueError: the frame is unusable; a FrameError names the reason.
        """
        return segment_cable(frame.rgb(), self.config)[:, :, None]

    def offer_reference(self, frame: CameraFrame) -> None:
        """Keep the first frame that shows goal and obstacle, as segmentation_node does."""
        if self._reference is None:
            try:
                self._reference = task_masks(frame.rgb(), self.config)
                self._reference_lens = frame.lens
            except ValueError as error:
                self.reference_fault = str(error)

    def label(self, frame: CameraFrame) -> tuple[bool, bool]:
        """Return (success, constraint) of a frame by colour, relative to the reference frame.

        Raises:
            ValueError: the frame is unusable, or there is no reference frame.
            BagFault: the lens has changed since the reference frame.
        """
        if self._reference is None:
            raise FrameError(
                f"no task_state, and no reference frame for labels by colour: "
                f"{self.reference_fault}"
            )
        if frame.lens != self._reference_lens:
            raise BagFault("camera_info has changed since the reference frame")
        return task_state(frame.rgb(), self._reference, self.config)


def _stamp(raw: Raw) -> int:
    return stamp_of_raw(raw) if len(raw.data) >= 12 else 0


def _lens(bag: Bag, raw: Raw) -> Lens:
    """The lens of a camera_info message; a message that cannot be read gives an unusable lens."""
    lens = Lens("")
    try:
        lens.receive(calibration_of(bag.decode(raw)))
    except ValueError as error:
        return Lens(f"{raw.topic}: {error}")
    return lens


def _corrected(bag: Bag, raw: Raw, lens: Lens | None) -> Image:
    if lens is None:
        raise FrameError("undistort is true, but no camera_info was recorded before the frame")
    try:
        return lens.correct(np.ascontiguousarray(picture_of(bag, raw)))
    except LensError as error:
        raise BagFault(str(error)) from None


def picture_of(bag: Bag, raw: Raw) -> Image:
    """Return the picture in a message of a camera, uint8 (height, width, channels).

    Raises:
        ValueError: the bytes, encoding or size are not those of a picture.
    """
    message = bag.decode(raw)
    if "Compressed" in bag.topics[raw.topic]:
        return decompressed(np.asarray(message.data, np.uint8), message.format)
    return to_array(message)
