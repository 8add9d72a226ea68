"""Makes the mask of the cable from a camera frame, by colour (paper, 7.3.4).

The same functions run in `segmentation_node`, in the import of bags and in the gymnasium
environment, so that a policy sees the same masks everywhere.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.registration import RegistrationConfig
from dvrk_cable_env.camera.segmentation_view import rectified, to_pixels, view_fault
from ls3_common.domain import installed
from ls3_common.parameters import parameter

Image = NDArray[np.uint8]
"""A picture, uint8 (height, width, 3), RGB unless said otherwise; or a mask, (height, width)."""
Mask = NDArray[np.bool_]
"""A selection of pixels, bool (height, width)."""
HSV = "OpenCV HSV: hue 0-179, saturation and value 0-255"


class FrameError(ValueError):
    """A camera frame that must not reach the networks; the text gives the reason."""


@dataclasses.dataclass(frozen=True)
class SegmentationConfig:
    """Sizes of frame and mask, crop or view of the scene, and colours of the objects.

    A colour range whose lower hue is above its upper hue wraps through red. With `undistort`, the
    functions of this module expect frames that `lens.Lens` has corrected.
    """

    width: int = parameter(128, description="Width of the camera frames", unit="px", low=8)
    height: int = parameter(128, description="Height of the camera frames", unit="px", low=8)
    undistort: bool = parameter(
        False,
        description="correct the lens before crop and colours, by the camera_info beside the "
        "camera's topic; without a valid camera_info there is no mask. For raw frames",
    )
    crop_left: int = parameter(0, description="Left edge of the square crop", unit="px", low=0)
    crop_top: int = parameter(0, description="Top edge of the square crop", unit="px", low=0)
    crop_side: int = parameter(
        128, description="Side of the square crop, which is the scene", unit="px", low=8
    )
    mask_size: int = parameter(
        default_factory=installed("cable_routing", "image_size"),
        description="Side of the mask",
        unit="px",
        low=8,
        domain="image_size",
    )
    cable_low: tuple[int, ...] = parameter(
        (170, 110, 50), description=f"Lower bound of the red cable, {HSV}", low=0, high=255
    )
    cable_high: tuple[int, ...] = parameter(
        (10, 255, 255), description=f"Upper bound of the red cable, {HSV}", low=0, high=255
    )
    obstacle_low: tuple[int, ...] = parameter(
        (100, 110, 50), description=f"Lower bound of the blue obstacle, {HSV}", low=0, high=255
    )
    obstacle_high: tuple[int, ...] = parameter(
        (130, 255, 255), description=f"Upper bound of the blue obstacle, {HSV}", low=0, high=255
    )
    goal_low: tuple[int, ...] = parameter(
        (45, 90, 50), description=f"Lower bound of the green goal, {HSV}", low=0, high=255
    )
    goal_high: tuple[int, ...] = parameter(
        (85, 255, 255), description=f"Upper bound of the green goal, {HSV}", low=0, high=255
    )
    homography: tuple[float, ...] = parameter(
        (),
        description="Homography, nine numbers row by row: takes a pixel (u, v, 1) to the robot's "
        "(x, y, 1) on the table, m. With view_width the scene is a rectified square of the table "
        "instead of the crop. Written by `calibrate`",
    )
    view_centre: tuple[float, ...] = parameter(
        (0.0, 0.0), description="Centre (x, y) of the rectified square, robot frame", unit="m"
    )
    view_width: float = parameter(
        0.0,
        description="Side of the rectified square, drawn with crop_side pixels, x to the right "
        "and y up; the simulated camera sees 0.3057; 0: use the crop",
        unit="m",
        low=0.0,
        high=2.0,
    )
    min_value: int = parameter(
        8,
        description="A frame with no brighter pixel is refused as black (lens cap, dead camera)",
        low=0,
        high=255,
    )
    success_pixels: int = parameter(
        6, description="The goal is reached with this many cable pixels inside the goal", low=1
    )
    contact_pixels: int = parameter(
        2, description="The cable touches with this many pixels on the obstacle's rim", low=1
    )
    rim_pixels: int = parameter(
        2,
        description="Anything, also the tool, touches the obstacle if this many pixels of "
        "the obstacle and its rim differ from the reference frame; 0: only the cable counts, for "
        "cameras that see the instrument's shaft above the obstacle",
        low=0,
    )
    rim_difference: int = parameter(
        40,
        description="A pixel differs by at least this much, of 255, in any colour",
        low=1,
        high=255,
    )

    def __post_init__(self) -> None:
        if self.view_width > 0:
            size = (self.width, self.height)
            fault = view_fault(self.homography, self.view_centre, self.view_width, size)
            if fault:
                raise ValueError(fault)
        elif self.crop_left + self.crop_side > self.width:
            raise ValueError("crop_left + crop_side exceeds width")
        elif self.crop_top + self.crop_side > self.height:
            raise ValueError("crop_top + crop_side exceeds height")
        for name in ("cable", "obstacle", "goal"):
            for bound in (getattr(self, f"{name}_low"), getattr(self, f"{name}_high")):
                if len(bound) != 3:
                    raise ValueError(f"{name}_low and {name}_high have three numbers: h, s, v")


@dataclasses.dataclass(frozen=True)
class NodeConfig(SegmentationConfig):
    """Parameters of segmentation_node; the description of a field says meaning and unit."""

    publish_task_state: bool = parameter(
        False,
        description="judge success and constraint by colour and publish task_state; for a robot, "
        "as a simulation knows them from physics. Goal and obstacle come from the first frame that "
        "shows both, and from the next frame after a call of ~/reference: clear the scene before",
    )
    compressed: bool = parameter(
        False,
        description="subscribe to camera/image_raw/compressed (sensor_msgs/CompressedImage, JPEG "
        "or PNG)",
    )
    pose_reference: str = parameter(
        "",
        description="picture of the static scene, written by `calibrate --reference`: frames are "
        "corrected for how the camera has moved since; empty: nobody looks whether it moved",
        is_path=True,
    )
    registration: RegistrationConfig = dataclasses.field(default_factory=RegistrationConfig)


def frame_fault(rgb: object, config: SegmentationConfig) -> str:
    """Return why a frame is not usable; empty if it is. Usable is uint8 (height, width, 3)."""
    if not isinstance(rgb, np.ndarray):
        return f"not an image, but {type(rgb).__name__}"
    if rgb.dtype != np.uint8:
        return f"pixels are {rgb.dtype}, expected uint8"
    expected = (config.height, config.width, 3)
    if rgb.shape != expected:
        return f"shape is {rgb.shape}, expected {expected} (height, width, RGB)"
    if int(rgb.max()) <= config.min_value:
        return "the frame is black"
    return ""


def segment_cable(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Image:
    """Return the mask of the cable, which the networks see.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        config: sizes and colours.

    Returns:
        uint8 (mask_size, mask_size): 255 for cable, 0 for background, in between at edges.

    Raises:
        FrameError: the frame is unusable, see `frame_fault`.
    """
    mask = cable_pixels(rgb, config).astype(np.uint8) * np.uint8(255)
    size = (config.mask_size, config.mask_size)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)


def cable_pixels(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Mask:
    """Return the cable's pixels in the scene, bool (crop_side, crop_side), at full resolution.

    Raises:
        FrameError: the frame is unusable, see `frame_fault`.
    """
    return in_range(to_hsv(scene_view(rgb, config)), config.cable_low, config.cable_high)


def scene_view(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Image:
    """Return the part of the frame that is the scene: the crop, or the rectified square.

    Returns:
        uint8 (crop_side, crop_side, 3), RGB.

    Raises:
        FrameError: the frame is unusable, see `frame_fault`.
    """
    fault = frame_fault(rgb, config)
    if fault:
        raise FrameError(fault)
    if config.view_width > 0:
        side = config.crop_side
        return rectified(rgb, config.homography, config.view_centre, config.view_width, side)
    rows = slice(config.crop_top, config.crop_top + config.crop_side)
    return rgb[rows, config.crop_left : config.crop_left + config.crop_side]


def used_part(config: SegmentationConfig) -> tuple[slice, slice]:
    """Return the rows and columns of a frame that `scene_view` looks at."""
    if config.view_width <= 0:
        left, top, side = config.crop_left, config.crop_top, config.crop_side
        return slice(top, top + side), slice(left, left + side)
    square = config.view_width / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = to_pixels(config.homography, np.asarray(config.view_centre) + square)
    low = np.floor(corners.min(axis=0) - 1).astype(int)
    high = np.ceil(corners.max(axis=0) + 2).astype(int)
    (left, top), (right, bottom) = low.clip(0), high.clip(0, (config.width, config.height))
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def in_range(hsv: Image, low: tuple[int, ...], high: tuple[int, ...]) -> Mask:
    """Select pixels between two bounds (hue, saturation, value), inclusive; bool (height, width).

    A lower hue above the upper hue wraps through red.
    """
    if low[0] <= high[0]:
        return cv2.inRange(hsv, np.array(low), np.array(high)) > 0
    below = cv2.inRange(hsv, np.array((0, *low[1:])), np.array(high))
    above = cv2.inRange(hsv, np.array(low), np.array((179, *high[1:])))
    return (below > 0) | (above > 0)


def to_hsv(scene: Image) -> Image:
    """Convert RGB to OpenCV's HSV, both uint8 (height, width, 3)."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(scene), cv2.COLOR_RGB2HSV), np.uint8)
