"""Spherical remote-centre kinematics of a da Vinci patient side manipulator.

Modelled: yaw, pitch and insertion of a shaft that turns about a fixed point (the remote centre of
motion, origin of the base frame, z up), then roll, wrist pitch and wrist yaw about axes that meet
in the tip. Not modelled: the offsets between the wrist's axes (9 mm on a real instrument), the
parallelogram that makes the remote centre, dynamics. Positive yaw moves the tip to +x, positive
pitch to +y; at zero the shaft points down. Metres and radians; quaternions are (x, y, z, w).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

JOINTS = ("yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw")
LOW = np.array([-1.58, -0.93, 0.045, -4.5, -1.4, -1.4])
"""Lower joint limits. A tip nearer than 45 mm to the remote centre takes no Cartesian commands."""
HIGH = np.array([1.58, 0.93, 0.24, 4.5, 1.4, 1.4])
DOWN = (1.0, 0.0, 0.0, 0.0)
"""Orientation of a tool whose z axis, along the shaft, points down."""


@dataclasses.dataclass(frozen=True)
class Pose:
    """Tip of the tool in the arm's base frame."""

    position: tuple[float, ...]
    orientation: tuple[float, ...] = DOWN


def inverse(pose: Pose) -> Vector:
    """Joint positions (6,) of a pose; the tip must not lie in the remote centre."""
    x, y, z = pose.position
    distance = float(np.linalg.norm(pose.position))
    yaw, pitch = np.arctan2(x, -z), np.arcsin(y / distance)
    wrist = _shaft(yaw, pitch).T @ matrix(pose.orientation)  # = Rz(roll) Rx(pitch) Ry(yaw)
    return np.array(
        [
            yaw,
            pitch,
            distance,
            np.arctan2(-wrist[0, 1], wrist[1, 1]),
            np.arcsin(np.clip(wrist[2, 1], -1.0, 1.0)),
            np.arctan2(-wrist[2, 0], wrist[2, 2]),
        ]
    )


def forward(joints: Vector) -> tuple[Vector, Vector]:
    """Position (3,) and rotation matrix (3, 3) of the tip."""
    yaw, pitch, insertion, roll, wrist_pitch, wrist_yaw = joints
    shaft = _shaft(yaw, pitch)
    rotation = shaft @ _turn(2, roll) @ _turn(0, wrist_pitch) @ _turn(1, wrist_yaw)
    return insertion * shaft[:, 2], rotation


def matrix(quaternion: tuple[float, ...]) -> Vector:
    """Rotation matrix (3, 3) of a quaternion, which need not have exactly unit length."""
    x, y, z, w = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _shaft(yaw: float, pitch: float) -> Vector:
    """Orientation of the shaft, whose z axis points from the remote centre to the tip."""
    return _turn(1, -yaw) @ _turn(0, pitch) @ _turn(0, np.pi)


def _turn(axis: int, angle: float) -> Vector:
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.eye(3)
    after, last = (axis + 1) % 3, (axis + 2) % 3
    rotation[after, after] = rotation[last, last] = cosine
    rotation[after, last], rotation[last, after] = -sine, sine
    return rotation
