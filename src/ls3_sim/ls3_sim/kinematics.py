"""Kinematics of a da Vinci patient side manipulator (PSM) with a large needle driver.

Modelled: the manipulator's table of Denavit-Hartenberg parameters as the da Vinci Research Kit
(dVRK) has it, with the offsets between the wrist's axes. Not modelled: the parallelogram that
creates the remote centre of motion, which is the origin of the base frame (z up), and dynamics. At
zero the shaft points down. Positive yaw moves the tip to +x, positive pitch to -y. Units are metres
and radians; quaternions are (x, y, z, w); joint positions (6,) are in the order of JOINTS.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

JOINTS = ("yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw")
"""Names of the joints in CRTK."""
LOW = np.array([-1.58, -0.93, 0.045, -4.5, -1.4, -1.4])
"""Lower joint limits (6,). Within 45 mm of the remote centre Cartesian commands are refused."""
HIGH = np.array([1.58, 0.93, 0.24, 4.5, 1.4, 1.4])
"""Upper joint limits (6,)."""
SHAFT = 0.0156
"""Insertion at which the wrist's pitch axis is in the remote centre, m: 0.4318 - 0.4162."""
WRIST, TIP = 0.0091, 0.0102
"""Distance of the wrist's yaw axis from its pitch axis, and of the tip from the yaw axis, m."""
_QUARTER = np.pi / 2
_TABLE = (
    *((_QUARTER, 0.0, _QUARTER), (-_QUARTER, 0.0, -_QUARTER), (_QUARTER, 0.0, 0.0)),
    *((0.0, 0.0, 0.0), (-_QUARTER, 0.0, -_QUARTER), (-_QUARTER, WRIST, -_QUARTER)),
)
"""Of each joint: turn about x, shift along x, turn about z at zero (J. J. Craig's convention)."""
_LAST_TO_TOOL = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
"""Orientation of the tool in the frame of the last joint."""
DOWN = (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)
"""Orientation of the tool at zero, where its z axis, along the shaft, points down."""


@dataclasses.dataclass(frozen=True)
class TipPose:
    """Pose of the tip in the arm's base frame.

    position: (x, y, z), m. orientation: unit quaternion (x, y, z, w), dimensionless.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...] = DOWN


def inverse(pose: TipPose, near: Vector | None = None) -> Vector:
    """Solve the inverse kinematics: joint positions (6,) of a pose.

    The roll's range is more than one turn, so there may be two solutions.

    Args:
        pose: pose of the tip, which must not lie in the remote centre.
        near: joint positions (6,); the solution with the nearest roll is returned. Without `near`
            the solution whose roll is within half a turn of zero is returned.
    """
    tool = matrix(pose.orientation)
    # the frame of the wrist's yaw axis: its z along the axis, its origin `centre`
    along, centre = -tool[:, 0], np.array(pose.position) - TIP * tool[:, 2]
    # the shaft, the link between both wrist axes and the yaw axis lie in one plane
    link = centre - (centre @ along) * along
    link /= np.linalg.norm(link)
    wrist = centre - WRIST * link  # a point of the shaft: its line goes through the remote centre
    distance = float(np.linalg.norm(wrist))
    yaw, pitch = np.arctan2(wrist[0], -wrist[2]), -np.arcsin(wrist[1] / distance)
    shaft, across = wrist / distance, _cross(link, along)
    unrolled = np.array([-np.cos(yaw), 0.0, -np.sin(yaw)])  # where `across` points at roll 0
    roll = float(np.arctan2(_cross(unrolled, across) @ shaft, across @ unrolled))
    if near is not None:
        turns = [roll + turn for turn in (-2 * np.pi, 0.0, 2 * np.pi)]
        within = [turn for turn in turns if LOW[3] <= turn <= HIGH[3]]
        roll = min(within, key=lambda turn: abs(turn - near[3]))
    bend = np.arctan2(_cross(across, shaft) @ link, link @ shaft)
    swing = np.arctan2(-tool[:, 1] @ link, -tool[:, 1] @ across)
    return np.array([yaw, pitch, distance + SHAFT, roll, bend, swing])


def forward(joints: Vector) -> tuple[Vector, Vector]:
    """Solve the forward kinematics.

    Args:
        joints: joint positions (6,), rad, insertion m.

    Returns:
        The tip's position (3,), m, and rotation matrix (3, 3), in the base frame.
    """
    rotation, centre = _frames(joints)[-1]
    tool = rotation @ _LAST_TO_TOOL
    return centre + TIP * tool[:, 2], tool


def pose_of(joints: Vector) -> TipPose:
    """Return the tip's pose for joint positions (6,), rad, insertion m."""
    position, rotation = forward(joints)
    return TipPose(tuple(position.tolist()), quaternion(rotation))


def spatial_jacobian(joints: Vector) -> Vector:
    """Return the spatial Jacobian (6, 6): joint velocities to the spatial twist in the base frame.

    The twist is linear then angular. Its linear part is the velocity of the tool's point at the
    base's origin (Murray, Li and Sastry, "A Mathematical Introduction to Robotic Manipulation",
    1994, chapter 3).
    """
    columns = []
    for joint, (rotation, origin) in enumerate(_frames(joints)):
        axis = rotation[:, 2]
        turns = JOINTS[joint] != "insertion"
        linear = _cross(origin, axis) if turns else axis
        columns.append(np.concatenate([linear, axis if turns else np.zeros(3)]))
    return np.stack(columns, axis=1)


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


def _frames(joints: Sequence[float] | Vector) -> list[tuple[Vector, Vector]]:
    """Return orientation (3, 3) and origin (3,), m, of each joint's frame, z along the joint."""
    rotation: Vector = np.eye(3)
    origin: Vector = np.zeros(3)
    frames = []
    for (twist, shift, angle), name, value in zip(_TABLE, JOINTS, joints, strict=False):
        slides = name == "insertion"
        origin = origin + shift * rotation[:, 0]
        rotation = rotation @ _turn(0, twist) @ _turn(2, angle if slides else angle + value)
        if slides:
            origin = origin + (value - SHAFT) * rotation[:, 2]
        frames.append((rotation, origin))
    return frames


def _cross(a: Vector, b: Vector) -> Vector:
    """Return the cross product of two vectors (3,); numpy's takes ten times as long."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def _turn(axis: int, angle: float) -> Vector:
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.eye(3)
    after, last = (axis + 1) % 3, (axis + 2) % 3
    rotation[after, after] = rotation[last, last] = cosine
    rotation[after, last], rotation[last, after] = -sine, sine
    return rotation
