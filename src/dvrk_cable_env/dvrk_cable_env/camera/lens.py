"""Corrects the distortion of a camera's lens, as its camera_info describes the lens. No ROS.

The corrected frame has the size and the camera matrix K of the raw frame. R and P of camera_info
are not used: they bring the two eyes of a stereo camera into one plane, and with one eye the
homography contains any rotation. The picture therefore differs from image_proc's `image_rect`.
Colours, crop and homography hold only for the kind of frame with which they were calibrated.
Pixels that the camera did not see are black, which is not a colour of the scene.
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
"""Number of coefficients in D for each distortion_model of sensor_msgs/CameraInfo."""
FISHEYE = "equidistant"
Maps = tuple[NDArray[Any], NDArray[Any]]
"""Two maps of cv2.remap in fixed point, each (height, width, ...)."""


class LensError(ValueError):
    """A frame cannot be corrected; the text says what is wrong with the camera_info."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The content of a camera_info that describes the lens.

    width, height: size of the frames, px. model: distortion_model. k: the camera matrix K, nine
    numbers row by row, px. d: the coefficients D of the model. is_part: whether the frames are
    binned or a region of interest, in which case K does not describe their pixels.
    """

    width: int
    height: int
    model: str
    k: tuple[float, ...]
    d: tuple[float, ...]
    is_part: bool = False

    @property
    def fault(self) -> str:
        """Why this calibration cannot correct a frame; empty if it can."""
        if self.model not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            return f"camera_info: distortion_model '{self.model[:40]}' is none of {known}"
        if not any(self.k):
            return "camera_info: K is zero, which means that the camera is not calibrated"
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
            return "camera_info: binning or a region of interest, but K describes whole frames"
        return ""


def calibration_of(message: Any) -> Calibration:
    """Convert a sensor_msgs/CameraInfo, from rclpy or from a bag, to a calibration."""
    width, height, roi = int(message.width), int(message.height), message.roi
    whole = (0, 0, 0, 0), (0, 0, width, height)
    seen = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    binned = max(message.binning_x, message.binning_y) > 1
    k, d = (tuple(map(float, numbers)) for numbers in (message.k, message.d))
    return Calibration(width, height, message.distortion_model, k, d, binned or seen not in whole)


def read_calibration(path: str | Path) -> Calibration:
    """Read the YAML file that camera_calibration writes and camera_info_manager reads.

    Raises:
        UserError: the file cannot be read, or is not a camera calibration.
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
        raise UserError("not a camera calibration", where=str(path), do=_WRITTEN) from None
    return Calibration(*size, model, k, d)


_WRITTEN = "give the YAML file that camera_calibration saves (its ost.yaml)"


def _numbers(given: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(number) for number in given)


class Lens:
    """Corrects frames with the newest camera_info. The maps are made with the first frame.

    calibration: the newest camera_info; None before the first.

    Args:
        missing: the reason for refusing frames before the first camera_info.
    """

    def __init__(self, missing: str) -> None:
        self.calibration: Calibration | None = None
        self._fault = missing
        self._maps: Maps | None = None

    def receive(self, calibration: Calibration) -> None:
        """Use this camera_info from now on; one that is equal to the last costs nothing."""
        if calibration != self.calibration:
            self.calibration, self._maps = calibration, None
            self._fault = calibration.fault

    def correct(self, rgb: Image) -> Image:
        """Return the frame without distortion.

        Args:
            rgb: the raw frame, uint8 (height, width, 3).

        Returns:
            uint8 (height, width, 3); the same array if the lens has no distortion.

        Raises:
            LensError: there is no camera_info, it does not describe a lens, or it describes frames
                of another size.
        """
        known = self.calibration
        if self._fault or known is None:
            raise LensError(self._fault)
        height, width = rgb.shape[:2]
        if (known.width, known.height) != (width, height):
            known_size = f"{known.width} x {known.height}"
            raise LensError(
                f"camera_info describes frames of {known_size}, this frame is {width} x {height}"
            )
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
    """Compute where each pixel of the corrected frame lies in the raw frame.

    Raises:
        LensError: no real lens has such coefficients.
    """
    k, d = np.array(known.k).reshape(3, 3), np.array(known.d)
    size, kind = (known.width, known.height), cv2.CV_32FC1
    if known.model == FISHEYE:
        u, v = cv2.fisheye.initUndistortRectifyMap(k, d, np.eye(3), k, size, kind)
    else:
        u, v = cv2.initUndistortRectifyMap(k, d, np.eye(3), k, size, kind)
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise LensError("camera_info: the coefficients map pixels to infinity")
    if _folds(u, v):
        raise LensError(
            "camera_info: the coefficients fold the picture; calibrate the camera again"
        )
    return cv2.convertMaps(u, v, cv2.CV_16SC2)


def _folds(u: NDArray[Any], v: NDArray[Any]) -> bool:
    """Whether the corrected frame would show a part of the raw frame mirrored or twice."""
    height, width = u.shape
    inside = ((u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1))[:-1, :-1]
    right = np.diff(u, axis=1)[:-1], np.diff(v, axis=1)[:-1]
    down = np.diff(u, axis=0)[:, :-1], np.diff(v, axis=0)[:, :-1]
    return bool((inside & (right[0] * down[1] <= right[1] * down[0])).any())
