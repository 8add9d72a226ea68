"""A camera's lens, by its camera_info: frames in which straight lines are straight. No ROS.

The corrected frame has the size and the camera matrix K of the raw one. R and P of the message are
not used: they turn the two eyes of a stereo camera into one plane, one eye needs straight lines
only, and a rotation is part of the homography anyway. So the picture is not image_proc's
`image_rect`: colours, crop and homography belong to the one they were calibrated with. What the
camera did not see is black, which is no colour of the scene.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation_view import Image
from ls3_common.errors import UserError

COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
"""Numbers in D by distortion_model, as sensor_msgs/CameraInfo and camera_calibration have them."""
FISHEYE = "equidistant"
Maps = tuple[NDArray[Any], NDArray[Any]]


class LensError(ValueError):
    """A frame cannot be corrected; the text says what is wrong with its camera_info."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What camera_info says of a lens. width, height: px, of its frames.

    k: nine numbers of K, row by row, px; d: the coefficients. is_part: its frames are binned, or
    a region of interest, so that K does not hold for their pixels.
    """

    width: int
    height: int
    model: str
    k: tuple[float, ...]
    d: tuple[float, ...]
    is_part: bool = False

    @property
    def fault(self) -> str:
        """Why no frame can be corrected with it, or an empty text."""
        if self.model not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            return f"camera_info: distortion_model '{self.model[:40]}' is none of {known}"
        if not any(self.k):
            return "camera_info: K is zero, which means that nobody has calibrated the camera"
        if len(self.k) != 9 or not np.isfinite(self.k).all():
            return "camera_info: K is not nine finite numbers"
        fx, skew, _cx, zero, fy, _cy, *last = self.k
        if fx <= 0 or fy <= 0 or (skew, zero, *last) != (0, 0, 0, 0, 1):
            return "camera_info: K is not fx 0 cx, 0 fy cy, 0 0 1 with fx and fy above 0"
        if len(self.d) != COEFFICIENTS[self.model]:
            wanted = COEFFICIENTS[self.model]
            return f"camera_info: {self.model} has {wanted} coefficients, not {len(self.d)}"
        if not np.isfinite(self.d).all():
            return "camera_info: a coefficient is not finite"
        if self.is_part:
            return "camera_info: binning or a region of interest, whose pixels K does not describe"
        return ""


def calibration_of(message: Any) -> Calibration:
    """That of a sensor_msgs/CameraInfo, of rclpy or of a bag."""
    width, height, roi = int(message.width), int(message.height), message.roi
    whole = (0, 0, 0, 0), (0, 0, width, height)
    seen = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    binned = max(message.binning_x, message.binning_y) > 1
    k, d = (tuple(map(float, numbers)) for numbers in (message.k, message.d))
    return Calibration(width, height, message.distortion_model, k, d, binned or seen not in whole)


def read_calibration(path: str | Path) -> Calibration:
    """That of a file as camera_calibration writes it and camera_info_manager reads it (YAML).

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    try:
        document = yaml.safe_load(Path(path).read_text())
        size = document["image_width"], document["image_height"]
        model = document["distortion_model"]
        if not all(isinstance(side, int) for side in size) or not isinstance(model, str):
            raise TypeError
        k, d = (
            _numbers(document[key]["data"]) for key in ("camera_matrix", "distortion_coefficients")
        )
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except KeyError as error:
        raise UserError(f"no key {error.args[0]!r}", where=str(path), do=_WRITTEN) from None
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError):
        raise UserError("no camera calibration", where=str(path), do=_WRITTEN) from None
    return Calibration(*size, model, k, d)


_WRITTEN = "give the YAML file that camera_calibration saves (its ost.yaml)"


def _numbers(given: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(number) for number in given)


class Lens:
    """The lens in force: of the newest camera_info, whose maps are made with the first frame.

    Args:
        missing: what to say as long as none has come.
    """

    def __init__(self, missing: str) -> None:
        self.calibration: Calibration | None = None
        self._fault = missing
        self._maps: Maps | None = None

    def hear(self, calibration: Calibration) -> None:
        """A camera_info has come; one that says what the last one said costs nothing."""
        if calibration != self.calibration:
            self.calibration, self._maps = calibration, None
            self._fault = calibration.fault

    def correct(self, rgb: Image) -> Image:
        """The frame without its lens, uint8 (height, width, 3) as it came; itself if D is zero.

        Raises:
            LensError: no camera_info, one that describes no lens, or one of other frames.
        """
        known = self.calibration
        if self._fault or known is None:
            raise LensError(self._fault)
        height, width = rgb.shape[:2]
        if (known.width, known.height) != (width, height):
            whose = f"{known.width} x {known.height}"
            raise LensError(f"camera_info is of frames of {whose}, this is {width} x {height}")
        if known.model != FISHEYE and not any(known.d):
            return rgb
        if self._maps is None:
            try:
                self._maps = undistortion_maps(known)
            except LensError as error:
                self._fault = str(error)
                raise
        return np.asarray(
            cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.uint8
        )


def undistortion_maps(known: Calibration) -> Maps:
    """Where each pixel of the corrected frame lies in the raw one, in cv2.remap's fixed point.

    Raises:
        LensError: the coefficients are no lens's.
    """
    k, d = np.array(known.k).reshape(3, 3), np.array(known.d)
    size, kind = (known.width, known.height), cv2.CV_32FC1
    if known.model == FISHEYE:
        u, v = cv2.fisheye.initUndistortRectifyMap(k, d, np.eye(3), k, size, kind)
    else:
        u, v = cv2.initUndistortRectifyMap(k, d, np.eye(3), k, size, kind)
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise LensError("camera_info: its coefficients take pixels to nowhere")
    if _folds(u, v):
        raise LensError("camera_info: its coefficients fold the picture, calibrate the camera anew")
    return cv2.convertMaps(u, v, cv2.CV_16SC2)


def _folds(u: NDArray[Any], v: NDArray[Any]) -> bool:
    """Whether a part of the frame would be shown mirrored, or more than once."""
    height, width = u.shape
    inside = ((u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1))[:-1, :-1]
    right = np.diff(u, axis=1)[:-1], np.diff(v, axis=1)[:-1]
    down = np.diff(u, axis=0)[:, :-1], np.diff(v, axis=0)[:, :-1]
    return bool((inside & (right[0] * down[1] <= right[1] * down[0])).any())
