"""Camera frame to the picture the networks see, and the task check by colour (section 7.3.4).

The same functions run in `segmentation_node`, on the robot, and in the gymnasium environment,
so a policy sees the same mask everywhere.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation_view import rectified, view_fault
from ls3_common.parameters import parameter

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
HSV = "OpenCV HSV: hue 0-179, saturation and value 0-255"


class FrameError(ValueError):
    """A camera frame that must not reach the networks; the text says why."""


@dataclasses.dataclass(frozen=True)
class SegmentationConfig:
    """Colours of the scene and sizes. A lower hue above the upper one wraps through red.

    The functions here take frames whose lens is corrected already where `undistort` says so:
    `lens.Lens` does it, once, as soon as a frame has come.
    """

    width: int = parameter(128, description="Width of the camera frames", unit="px", low=8)
    height: int = parameter(128, description="Height of the camera frames", unit="px", low=8)
    undistort: bool = parameter(
        False,
        description="correct the lens by the camera_info beside the camera's topic, before crop "
        "and colours; no mask without a valid one. For raw frames, where no image_proc runs",
    )
    crop_left: int = parameter(0, description="Left edge of the square crop", unit="px", low=0)
    crop_top: int = parameter(0, description="Top edge of the square crop", unit="px", low=0)
    crop_side: int = parameter(
        128, description="Side of the square of the frame that is the scene", unit="px", low=8
    )
    mask_size: int = parameter(
        64, description="Side of the mask; the networks are made for 64", unit="px", low=8
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
        description="Nine numbers, row by row, that take (u, v, 1) of a frame (px) to (x, y, 1) of "
        "the robot (m) on the table; with view_width the scene is the rectified table instead of "
        "the crop. Written by `calibrate`",
    )
    view_centre: tuple[float, ...] = parameter(
        (0.0, 0.0), description="Centre (x, y) of the rectified square, robot frame", unit="m"
    )
    view_width: float = parameter(
        0.0,
        description="Side of the rectified square, drawn with crop_side pixels, x to the right, y "
        "up; the simulated camera sees 0.3057; 0: crop",
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
        6, description="Cable pixels inside the goal from which the goal is reached", low=1
    )
    contact_pixels: int = parameter(
        2, description="Cable pixels on the obstacle's rim from which it is touched", low=1
    )
    rim_pixels: int = parameter(
        2,
        description="Pixels of the obstacle and its rim that look other than in the reference "
        "frame from which anything, the tool too, touches it; 0: the cable alone counts, for "
        "cameras that see the instrument's shaft above the obstacle",
        low=0,
    )
    rim_difference: int = parameter(
        40, description="From how much a pixel looks other, of 255 in any colour", low=1, high=255
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
    """Parameters of segmentation_node."""

    publish_task_state: bool = parameter(
        False,
        description="judge success and constraint by colour, as a robot must; a simulation knows "
        "them from physics. The first frame that shows goal and obstacle, and the next one after "
        "each call of ~/reference, says where they are: clear the scene before",
    )
    compressed: bool = parameter(
        False,
        description="take sensor_msgs/CompressedImage (JPEG, PNG) from camera/image_raw/compressed",
    )


@dataclasses.dataclass(frozen=True)
class TaskMasks:
    """Where goal and obstacle are: bool (side, side), from a frame that shows both unoccluded.

    scene: that frame's pixels, uint8 (side, side, 3).
    """

    obstacle: Mask
    goal: Mask
    scene: Image


def frame_fault(rgb: object, config: SegmentationConfig) -> str:
    """Why this frame is not usable, or an empty text."""
    if not isinstance(rgb, np.ndarray):
        return f"not an image but {type(rgb).__name__}"
    if rgb.dtype != np.uint8:
        return f"pixels are {rgb.dtype}, expected uint8"
    expected = (config.height, config.width, 3)
    if rgb.shape != expected:
        return f"shape is {rgb.shape}, expected {expected} (height, width, RGB)"
    if int(rgb.max()) <= config.min_value:
        return "the frame is black"
    return ""


def segment_cable(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Image:
    """The cable's mask, uint8 (mask_size, mask_size): 255 cable, 0 not, between at its edges.

    Raises:
        FrameError: see `frame_fault`.
    """
    mask = cable_pixels(rgb, config).astype(np.uint8) * np.uint8(255)
    size = (config.mask_size, config.mask_size)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)


def cable_pixels(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Mask:
    """Cable pixels of the crop, bool (crop_side, crop_side)."""
    return in_range(_hsv(scene_view(rgb, config)), config.cable_low, config.cable_high)


def scene_view(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> Image:
    """The square of the frame that is the scene, uint8 (crop_side, crop_side, 3).

    Raises:
        FrameError: see `frame_fault`.
    """
    fault = frame_fault(rgb, config)
    if fault:
        raise FrameError(fault)
    if config.view_width > 0:
        side = config.crop_side
        return rectified(rgb, config.homography, config.view_centre, config.view_width, side)
    rows = slice(config.crop_top, config.crop_top + config.crop_side)
    return rgb[rows, config.crop_left : config.crop_left + config.crop_side]


def task_masks(rgb: Image, config: SegmentationConfig = SegmentationConfig()) -> TaskMasks:
    """Goal and obstacle as a clean reference frame shows them.

    Taken once, before the episode: tool and cable hide parts of both later on.

    Raises:
        FrameError: the frame is unusable, or shows no goal or no obstacle.
    """
    scene = scene_view(rgb, config)
    hsv = _hsv(scene)
    masks = TaskMasks(
        obstacle=in_range(hsv, config.obstacle_low, config.obstacle_high),
        goal=in_range(hsv, config.goal_low, config.goal_high),
        scene=scene.copy(),
    )
    for name, mask in (("obstacle", masks.obstacle), ("goal", masks.goal)):
        if mask.sum() < 4:
            raise FrameError(f"the reference frame shows no {name}: check its colour range")
    return masks


def task_state(
    rgb: Image, masks: TaskMasks, config: SegmentationConfig = SegmentationConfig()
) -> tuple[bool, bool]:
    """(success, constraint) of one frame by colour, as the paper's robot has it.

    The cable lies in front of neither: what it covers of the goal was goal in the reference
    frame. It cannot enter the solid obstacle, so touching is a cable pixel that borders it. The
    tool has no colour of its own: it is what makes the obstacle or its rim look other than in
    the reference frame (`rim_pixels`).
    """
    scene = scene_view(rgb, config)
    cable = in_range(_hsv(scene), config.cable_low, config.cable_high)
    rim = cv2.dilate(masks.obstacle.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    success = int((cable & masks.goal).sum()) >= config.success_pixels
    constraint = int((cable & rim).sum()) >= config.contact_pixels
    if config.rim_pixels and not constraint:
        changed = _change(scene, masks.scene, rim) >= config.rim_difference
        constraint = int(changed.sum()) >= config.rim_pixels
    return success, constraint


def in_range(hsv: Image, low: tuple[int, ...], high: tuple[int, ...]) -> Mask:
    """Pixels between two bounds, both included; a lower hue above the upper wraps through red."""
    if low[0] <= high[0]:
        return cv2.inRange(hsv, np.array(low), np.array(high)) > 0
    below = cv2.inRange(hsv, np.array((0, *low[1:])), np.array(high))
    above = cv2.inRange(hsv, np.array(low), np.array((179, *high[1:])))
    return (below > 0) | (above > 0)


def _change(scene: Image, reference: Image, where: Mask) -> NDArray[np.float32]:
    """Largest difference of any colour, (n,), of the n pixels `where`; exposure and light of the
    whole removed, by the medians of a coarse grid.
    """
    coarse = slice(None, None, max(1, len(scene) // 64))
    pair = scene[coarse, coarse], reference[coarse, coarse]
    now, then = (np.maximum(np.median(image, axis=(0, 1)), 1) for image in pair)
    expected = np.clip(reference[where] * (now / then), 0, 255)
    return np.asarray(np.abs(scene[where] - expected).max(axis=1), np.float32)


def _hsv(scene: Image) -> Image:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(scene), cv2.COLOR_RGB2HSV), np.uint8)
