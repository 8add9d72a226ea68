"""Poses, joints and Jacobians to ROS messages and back. Nothing here knows of nodes."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from ls3_sim.kinematics import JOINTS, Pose, Vector

JAW = ("jaw",)


def to_pose_message(pose: Pose) -> PoseMessage:
    message = PoseMessage()
    place, turn = message.position, message.orientation
    place.x, place.y, place.z = pose.position
    turn.x, turn.y, turn.z, turn.w = pose.orientation
    return message


def from_pose_message(message: PoseMessage) -> Pose:
    place, turn = message.position, message.orientation
    return Pose((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def to_joint_state(
    stamp: Time, position: Vector, velocity: Vector | None = None, names: Sequence[str] = JOINTS
) -> JointState:
    """Position and velocity (n,); what is not known is left out."""
    message = JointState(name=names, position=position.tolist())
    message.velocity = [] if velocity is None else velocity.tolist()
    message.header.stamp = stamp
    return message


def misnamed(message: JointState, names: Sequence[str]) -> str:
    """Why a command means other joints, or another order of them; without names it does not."""
    if message.name and list(message.name) != list(names):
        return f"its joints are {', '.join(message.name)}, not {', '.join(names)}"
    return ""


def to_twist(velocity: Vector) -> Twist:
    """Linear above angular, (6,)."""
    message = Twist()
    linear, angular = message.linear, message.angular
    linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = velocity.tolist()
    return message


def to_matrix_message(matrix: Vector) -> Float64MultiArray:
    """A matrix, row by row."""
    message = Float64MultiArray(data=matrix.ravel().tolist())
    rows, columns = matrix.shape
    message.layout.dim = [
        MultiArrayDimension(label="rows", size=rows, stride=rows * columns),
        MultiArrayDimension(label="columns", size=columns, stride=columns),
    ]
    return message
