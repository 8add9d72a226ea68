"""What the simulated arm can reach. Each function returns why not, empty where it can."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ls3_sim.kinematics import HIGH, JOINTS, LOW, Pose, Vector, inverse
from ls3_sim.trajectory import TimedPath

UNIT = 1e-2
"""How far from 1 the length of a quaternion may be."""
JAW_LOW, JAW_HIGH = math.radians(-20.0), math.radians(80.0)
"""The jaw's range: the client's `close` presses the jaws together with -20 degrees."""
APART, TIME_APART = 0.01, 0.2
"""How far apart, in metres and seconds, a straight way is looked at."""
ROUNDING = 1e-9


def refuse_joints(joints: Vector) -> str:
    """Joint positions (6,)."""
    if not np.isfinite(joints).all():
        return "the joint positions are not finite"
    beyond = np.flatnonzero((joints < LOW - ROUNDING) | (joints > HIGH + ROUNDING))
    return f"{JOINTS[beyond[0]]} would leave its limits" if beyond.size else ""


def refuse_pose(pose: Pose, near: Vector | None = None) -> str:
    """A pose of the tip, for an arm whose joints are at `near` (6,)."""
    if not all(map(math.isfinite, (*pose.position, *pose.orientation))):
        return "the pose is not finite"
    if abs(math.hypot(*pose.orientation) - 1) > UNIT:
        return "the orientation is no unit quaternion"
    if math.hypot(*pose.position) < LOW[2]:
        return f"the tip would be within {LOW[2]:g} m of the remote centre"
    return refuse_joints(inverse(pose, near))


def refuse_way(way: TimedPath[Pose], near: Vector) -> str:
    """A straight way: between two places within reach it need not stay so."""
    length = math.dist(way.at(0.0).position, way.at(1.0).position)
    parts = math.ceil(max(length / APART, way.duration / TIME_APART, 1.0))
    for share in np.linspace(0, 1, parts + 1)[1:-1]:
        reason = refuse_pose(way.at(float(share)), near)
        if reason:
            return f"on the straight way there {reason}"
    return ""


def refuse_jaw(angle: Sequence[float]) -> str:
    """An angle of the jaw (1,), radians."""
    if len(angle) != 1 or not math.isfinite(angle[0]):
        return "the jaw takes one finite angle"
    if not JAW_LOW - ROUNDING <= angle[0] <= JAW_HIGH + ROUNDING:
        return f"the jaw would leave its range of {JAW_LOW:.3g} to {JAW_HIGH:.3g} rad"
    return ""
