"""Kinematics of a da Vinci patient side manipulator (PSM) with a spherical remote centre.

Modelled: yaw, pitch and insertion of a shaft that turns about a fixed point (the remote centre of
motion, origin of the base frame, z up), then roll, wrist pitch and wrist yaw about axes that meet
in the tip. Not modelled: the offsets between the wrist's axes (9 mm on a real instrument), the
parallelogram that creates the remote centre, and dynamics. Positive yaw moves the tip to +x,
positive pitch to +y; at zero the shaft points down. Units are metres and radians; quaternions are
(x, y, z, w); joint positions (6,) are in the order of JOINTS.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

JOINTS = ("yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw")
"""Names of the joints in CRTK."""
LOW = np.array([-1.58, -0.93, 0.045, -4.5, -1.4, -1.4])
"""Lower joint limits (6,). Within 45 mm of the remote centre Cartesian commands are refused."""
HIGH = np.array([1.58, 0.93, 0.24, 4.5, 1.4, 1.4])
"""Upper joint limits (6,)."""
DOWN = (1.0, 0.0, 0.0, 0.0)
"""Orientation of a tool whose z axis, along the shaft, points down."""


@dataclasses.dataclass(frozen=True)
class Pose:
    """Pose of the tip in the arm's base frame.

    position: (x, y, z), m. orientation: unit quaternion (x, y, z, w), dimensionless.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...] = DOWN


def inverse(pose: Pose, near: Vector | None = None) -> Vector:
    """Solve the inverse kinematics: joint positions (6,) of a pose.

    The roll's range is more than one turn, so there may be two solutions.

    Args:
        pose: pose of the tip, which must not lie in the remote centre.
        near: joint positions (6,); the solution with the nearest roll is returned. Without `near`
            the solution whose roll is within half a turn of zero is returned.
    """
    x, y, z = pose.position
    distance = float(np.linalg.norm(pose.position))
    yaw, pitch = np.arctan2(x, -z), np.arcsin(y / distance)
    wrist = _shaft(yaw, pitch).T @ matrix(pose.orientation)  # = Rz(roll) Rx(pitch) Ry(yaw)
    roll = float(np.arctan2(-wrist[0, 1], wrist[1, 1]))
    if near is not None:
        turns = [roll + turn for turn in (-2 * np.pi, 0.0, 2 * np.pi)]
        within = [turn for turn in turns if LOW[3] <= turn <= HIGH[3]]
        roll = min(within, key=lambda turn: abs(turn - near[3]))
    return np.array(
        [
            yaw,
            pitch,
            distance,
            roll,
            np.arcsin(np.clip(wrist[2, 1], -1.0, 1.0)),
            np.arctan2(-wrist[2, 0], wrist[2, 2]),
        ]
    )


def forward(joints: Vector) -> tuple[Vector, Vector]:
    """Solve the forward kinematics.

    Args:
        joints: joint positions (6,), rad, insertion m.

    Returns:
        The tip's position (3,), m, and rotation matrix (3, 3), in the base frame.
    """
    yaw, pitch, insertion, roll, wrist_pitch, wrist_yaw = joints
    shaft = _shaft(yaw, pitch)
    rotation = shaft @ _turn(2, roll) @ _turn(0, wrist_pitch) @ _turn(1, wrist_yaw)
    return insertion * shaft[:, 2], rotation


def pose_of(joints: Vector) -> Pose:
    """Return the tip's pose for joint positions (6,), rad, insertion m."""
    position, rotation = forward(joints)
    return Pose(tuple(position.tolist()), quaternion(rotation))


def spatial_jacobian(joints: Vector) -> Vector:
    """Return the spatial Jacobian (6, 6): joint velocities to the spatial twist in the base frame.

    The twist is linear then angular. Its linear part is the velocity of the tool's point at the
    base's origin (Murray, Li and Sastry, "A Mathematical Introduction to Robotic Manipulation",
    1994, chapter 3).
    """
    yaw, pitch, _, roll, wrist_pitch, _ = joints
    position, _ = forward(joints)
    shaft = _shaft(yaw, pitch)
    rolled = shaft @ _turn(2, roll)
    along, pitched, wrist = shaft[:, 2], rolled[:, 0], (rolled @ _turn(0, wrist_pitch))[:, 1]
    # each joint's axis, and the velocity that its turn gives to the tool's point at the origin
    angular = [-np.eye(3)[1], _turn(1, -yaw)[:, 0], np.zeros(3), along, pitched, wrist]
    linear = [np.cross(position, axis) if k > 3 else np.zeros(3) for k, axis in enumerate(angular)]
    linear[2] = along
    return np.hstack([linear, angular]).T


def tip_jacobian(joints: Vector) -> Vector:
    """Return the Jacobian (6, 6): joint velocities to the tip's linear and angular velocity.

    The result is in the base frame, linear (m/s) then angular (rad/s).
    """
    spatial = spatial_jacobian(joints)
    position, _ = forward(joints)
    linear = spatial[:3] + np.cross(spatial[3:].T, position).T
    return np.vstack([linear, spatial[3:]])


def body_jacobian(joints: Vector) -> Vector:
    """Return the Jacobian (6, 6) like `tip_jacobian`, but in the tool's own frame."""
    turned = forward(joints)[1].T
    tip = tip_jacobian(joints)
    return np.vstack([turned @ tip[:3], turned @ tip[3:]])


def quaternion(rotation: Vector) -> tuple[float, ...]:
    """Convert a rotation matrix (3, 3) to a unit quaternion with w >= 0 (Shepperd, 1978)."""
    trace = float(np.trace(rotation))
    largest = int(np.argmax([*np.diag(rotation), trace]))
    if largest == 3:  # w is the largest
        q = [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
            1 + trace,
        ]
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q = [0.0, 0.0, 0.0, rotation[k, j] - rotation[j, k]]
        q[i] = 1 - trace + 2 * rotation[i, i]
        q[j] = rotation[j, i] + rotation[i, j]
        q[k] = rotation[k, i] + rotation[i, k]
    unit = np.array(q) / np.linalg.norm(q)
    return tuple((-unit if unit[3] < 0 else unit).tolist())


def matrix(quaternion: tuple[float, ...]) -> Vector:
    """Convert a quaternion, not necessarily of unit length, to a rotation matrix (3, 3)."""
    x, y, z, w = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _shaft(yaw: float, pitch: float) -> Vector:
    """Orientation (3, 3) of the shaft; its z axis points from the remote centre to the tip."""
    return _turn(1, -yaw) @ _turn(0, pitch) @ _turn(0, np.pi)


def _turn(axis: int, angle: float) -> Vector:
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.eye(3)
    after, last = (axis + 1) % 3, (axis + 2) % 3
    rotation[after, after] = rotation[last, last] = cosine
    rotation[after, last], rotation[last, after] = -sine, sine
    return rotation
