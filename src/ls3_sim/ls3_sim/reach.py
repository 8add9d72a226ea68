"""Checks what the simulated arm can reach.

Each function returns why the arm cannot reach its argument; empty if it can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ls3_sim.kinematics import HIGH, JOINTS, LOW, TipPose, Vector, inverse
from ls3_sim.trajectory import TimedPath

UNIT = 1e-2
"""Largest deviation of a quaternion's length from 1."""
JAW_LOW, JAW_HIGH = math.radians(-20.0), math.radians(80.0)
"""Range of the jaw, rad; the client's `close` presses the jaws together with -20 degrees."""
SPACING, TIME_SPACING = 0.01, 0.2
"""Largest distance between two checked points of a straight path, m and s."""
ROUNDING = 1e-9
"""Rounding error of a joint position that is not a violation of a limit, rad or m."""


def refuse_joints(joints: Vector) -> str:
    """Return why joint positions (6,), rad, insertion m, are out of reach, or an empty text."""
    if not np.isfinite(joints).all():
        return "the joint positions are not finite"
    beyond = np.flatnonzero((joints < LOW - ROUNDING) | (joints > HIGH + ROUNDING))
    return f"{JOINTS[beyond[0]]} would leave its limits" if beyond.size else ""


def refuse_pose(pose: TipPose, near: Vector | None = None) -> str:
    """Return why a pose of the tip is out of reach; empty if it is not.

    Args:
        pose: position in m and unit quaternion.
        near: present joint positions (6,), which choose the solution, see `kinematics.inverse`.
    """
    if not all(map(math.isfinite, (*pose.position, *pose.orientation))):
        return "the pose is not finite"
    if abs(math.hypot(*pose.orientation) - 1) > UNIT:
        return "the orientation is not a unit quaternion"
    if math.hypot(*pose.position) < LOW[2]:
        return f"the tip would be within {LOW[2]:g} m of the remote centre"
    return refuse_joints(inverse(pose, near))


def refuse_path(path: TimedPath[TipPose], near: Vector) -> str:
    """Return why a straight path is out of reach; empty if it is not.

    The path may leave the range between reachable ends, so that points on it are checked.

    Args:
        path: of the tip.
        near: present joint positions (6,), see `refuse_pose`.
    """
    length = math.dist(path.at(0.0).position, path.at(1.0).position)
    parts = math.ceil(max(length / SPACING, path.duration / TIME_SPACING, 1.0))
    for share in np.linspace(0, 1, parts + 1)[1:-1]:
        reason = refuse_pose(path.at(float(share)), near)
        if reason:
            return f"on the straight path {reason}"
    return ""


def refuse_jaw(angle: Sequence[float]) -> str:
    """Return why an angle (1,) of the jaw, rad, is out of reach; empty if it is not."""
    if len(angle) != 1 or not math.isfinite(angle[0]):
        return "the jaw takes one finite angle"
    if not JAW_LOW - ROUNDING <= angle[0] <= JAW_HIGH + ROUNDING:
        return f"the jaw would leave its range of {JAW_LOW:.3g} to {JAW_HIGH:.3g} rad"
    return ""
