"""Judges success and constraint of the task from camera frames, by colour (paper, 7.3.4)."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation import (
    FrameError,
    Image,
    Mask,
    SegmentationConfig,
    in_range,
    scene_view,
    to_hsv,
)

DEFAULTS = SegmentationConfig()


@dataclasses.dataclass(frozen=True)
class TaskMasks:
    """Goal and obstacle in the reference frame, which shows both without occlusion.

    Attributes:
        obstacle: pixels of the obstacle, bool (crop_side, crop_side).
        goal: pixels of the goal, bool (crop_side, crop_side).
        scene: the reference frame's scene, uint8 (crop_side, crop_side, 3).
    """

    obstacle: Mask
    goal: Mask
    scene: Image


def task_masks(rgb: Image, config: SegmentationConfig = DEFAULTS) -> TaskMasks:
    """Find goal and obstacle in a reference frame, before tool and cable hide parts of them.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        config: sizes and colours.

    Raises:
        FrameError: the frame is unusable, or shows no goal or no obstacle.
    """
    scene = scene_view(rgb, config)
    hsv = to_hsv(scene)
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
    rgb: Image, masks: TaskMasks, config: SegmentationConfig = DEFAULTS
) -> tuple[bool, bool]:
    """Judge success and constraint of one frame by colour, as on the paper's robot (7.3.4).

    Success: cable pixels cover pixels that were goal in the reference frame. Constraint: cable
    pixels border the obstacle, which the cable cannot enter; or the obstacle and its rim look
    different from the reference frame (`rim_pixels`), because the tool has no colour of its own.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        masks: goal and obstacle in the reference frame.
        config: sizes, colours and thresholds.

    Returns:
        (success, constraint).

    Raises:
        FrameError: the frame is unusable, see `frame_fault`.
    """
    scene = scene_view(rgb, config)
    cable = in_range(to_hsv(scene), config.cable_low, config.cable_high)
    rim = cv2.dilate(masks.obstacle.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    success = int((cable & masks.goal).sum()) >= config.success_pixels
    constraint = int((cable & rim).sum()) >= config.contact_pixels
    if config.rim_pixels and not constraint:
        changed = _change(scene, masks.scene, rim) >= config.rim_difference
        constraint = int(changed.sum()) >= config.rim_pixels
    return success, constraint


def _change(scene: Image, reference: Image, where: Mask) -> NDArray[np.float32]:
    """Largest change of any colour, (n,), at the n pixels of `where` between reference and scene.

    A change of exposure or light of the whole scene is removed first, by the medians of a grid.
    """
    coarse = slice(None, None, max(1, len(scene) // 64))
    pair = scene[coarse, coarse], reference[coarse, coarse]
    now, then = (np.maximum(np.median(image, axis=(0, 1)), 1) for image in pair)
    expected = np.clip(reference[where] * (now / then), 0, 255)
    return np.asarray(np.abs(scene[where] - expected).max(axis=1), np.float32)
