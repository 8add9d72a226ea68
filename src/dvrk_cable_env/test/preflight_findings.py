"""Findings of preflight in which all is well, and changes to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.guards import GuardConfig
from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.preflight.findings import (
    Findings,
    Model,
    Picture,
    PoseStream,
    WatchedTopic,
)

SECOND = 1_000_000_000


def stream(topic: str, rate: float = 30.0, age: float = 0.02, **fields: Any) -> WatchedTopic:
    """A second of a stream."""
    stamps = tuple(int(100 * SECOND + i * SECOND / rate) for i in range(int(rate)))
    arrivals = tuple(stamp + int(age * SECOND) for stamp in stamps)
    return dataclasses.replace(WatchedTopic(topic, stamps, arrivals, ("one",)), **fields)


def at(stamps: tuple[int, ...], topic: str = "camera/image_raw") -> WatchedTopic:
    """A stream that arrives in time, whatever its stamps."""
    arrivals = stream(topic).arrivals[: len(stamps)]
    return WatchedTopic(topic, stamps, arrivals, ("one",))


def picture(white: int, size: int = 64) -> Picture:
    """A mask with so many cable pixels."""
    pixels = np.zeros((size, size, 1), np.uint8)
    pixels.reshape(-1)[:white] = 255
    return Picture("mono8", pixels, "")


def frame(height: int = 128, width: int = 128, value: int = 90) -> Picture:
    return Picture("rgb8", np.full((height, width, 3), value, np.uint8), "")


def pose(*position: float, **fields: Any) -> PoseStream:
    place = position or (0.0, 0.05, -0.1)
    return dataclasses.replace(
        PoseStream(stream("PSM1/setpoint_cp", 100.0), "PSM1_base", place, True), **fields
    )


LIMITS = ArmLimits(workspace_low=(-0.05, 0.02), workspace_high=(0.05, 0.12), max_step=0.005)
ARM = ArmConfig(limits=LIMITS, guards=GuardConfig(pedal_topic="/footpedals/coag"))
MODEL = Model("m", "abc", "cable_routing", (64, 64, 1), (-0.005, -0.005), (0.005, 0.005))
PIXEL = 0.3 / 128
FLAT = (PIXEL, 0.0, -63.5 * PIXEL, 0.0, -PIXEL, 63.5 * PIXEL, 0.0, 0.0, 1.0)
"""A camera that looks straight down on 0.3 m round the base's origin."""
CALIBRATED = SegmentationConfig(homography=FLAT)
GOOD = Findings(
    clock=(100 * SECOND, 102 * SECOND),
    camera=stream("camera/image_raw"),
    frame=frame(),
    segmentation=CALIBRATED,
    mask=stream("segmentation/mask"),
    mask_picture=picture(60),
    task=stream("task_state"),
    arm=ARM,
    differences={"arm_node": ()},
    state="ENABLED",
    is_homed=True,
    setpoint=pose(),
    measured=pose(),
    local=pose(),
    reach={"tip": "", "(-0.05, 0.02)": "", "(0.05, 0.12)": ""},
    hold_heard=True,
    pedal_present=True,
    pedal_heard=True,
    models={"encoder_node": MODEL, "planner_node": MODEL},
    latent_model="abc",
)


def arm(**fields: Any) -> dict[str, Any]:
    return {"arm": dataclasses.replace(ARM, **fields)}


def limits(**fields: Any) -> dict[str, Any]:
    return arm(limits=dataclasses.replace(LIMITS, **fields))


def guards(**fields: Any) -> dict[str, Any]:
    return arm(guards=dataclasses.replace(ARM.guards, **fields))


def seen_by(**fields: Any) -> dict[str, Any]:
    return {"segmentation": dataclasses.replace(CALIBRATED, **fields)}


def model(**fields: Any) -> dict[str, Any]:
    return {"models": {"planner_node": dataclasses.replace(MODEL, **fields)}}
