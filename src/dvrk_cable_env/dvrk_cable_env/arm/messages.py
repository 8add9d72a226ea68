"""Converts messages of the arm."""

from __future__ import annotations

import math

from geometry_msgs.msg import PoseStamped

from dvrk_cable_env.arm.pose import Pose


def to_pose(message: PoseStamped) -> Pose:
    """Return the message's pose, m."""
    place, turn = message.pose.position, message.pose.orientation
    return Pose((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def is_rotation(message: PoseStamped) -> bool:
    """Whether the message's orientation is a unit quaternion, to 1 % of its squared norm.

    The orientation of a setpoint is sent back to the robot with every motion.
    """
    q = message.pose.orientation
    return math.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1.0, abs_tol=1e-2)
