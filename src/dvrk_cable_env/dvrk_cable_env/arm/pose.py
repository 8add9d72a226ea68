"""Poses in space: position and orientation of one frame in another. No ROS."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

Vector = tuple[float, ...]
IDENTITY: Vector = (0.0, 0.0, 0.0, 1.0)
"""The quaternion (x, y, z, w) of no rotation."""


@dataclasses.dataclass(frozen=True)
class Pose:
    """position: (x, y, z), m. rotation: unit quaternion (x, y, z, w)."""

    position: Vector
    rotation: Vector = IDENTITY

    def rotate(self, vector: Sequence[float]) -> Vector:
        """Return a vector (3) of this frame in the frame that the pose is given in."""
        *axis, w = _unit(self.rotation)
        once = _cross(axis, vector)
        twice = _cross(axis, once)
        return tuple(v + 2 * (w * a + b) for v, a, b in zip(vector, once, twice, strict=True))


def base_of(pose: Pose, local: Pose) -> Pose:
    """Return the pose of a base, from one body's pose (m) and its pose relative to that base.

    The result is pose * local^-1.
    """
    x, y, z, w = _unit(local.rotation)
    base = Pose((), _product(_unit(pose.rotation), (-x, -y, -z, w)))
    shift = base.rotate(local.position)
    return Pose(tuple(a - b for a, b in zip(pose.position, shift, strict=True)), base.rotation)


def angle(first: Vector, second: Vector) -> float:
    """Return the angle (rad) between two orientations, quaternions (x, y, z, w)."""
    x, y, z, w = _unit(second)
    *axis, real = _product(_unit(first), (-x, -y, -z, w))
    return 2 * math.atan2(math.hypot(*axis), abs(real))


def _unit(rotation: Vector) -> Vector:
    """The quaternion with norm 1, as messages may be up to 1 % off; NaN if it is no rotation."""
    length = math.hypot(*rotation) or math.nan
    return tuple(value / length for value in rotation)


def _product(first: Vector, second: Vector) -> Vector:
    a, b, c, d = first
    x, y, z, w = second
    return (
        d * x + a * w + b * z - c * y,
        d * y - a * z + b * w + c * x,
        d * z + a * y - b * x + c * w,
        d * w - a * x - b * y - c * z,
    )


def _cross(first: Sequence[float], second: Sequence[float]) -> Vector:
    (a, b, c), (x, y, z) = first, second
    return (b * z - c * y, c * x - a * z, a * y - b * x)
