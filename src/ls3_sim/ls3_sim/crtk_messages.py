"""Converts poses, joint states and Jacobians to ROS messages and back, without any node."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from ls3_sim.kinematics import JOINTS, TipPose, Vector

JAW = ("jaw",)
"""Name of the jaw's joint in CRTK."""


def to_pose_message(pose: TipPose) -> PoseMessage:
    """Convert a pose (m, quaternion) to geometry_msgs/Pose."""
    message = PoseMessage()
    place, turn = message.position, message.orientation
    place.x, place.y, place.z = pose.position
    turn.x, turn.y, turn.z, turn.w = pose.orientation
    return message


def from_pose_message(message: PoseMessage) -> TipPose:
    """Convert geometry_msgs/Pose to a pose (m, quaternion)."""
    place, turn = message.position, message.orientation
    return TipPose((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def to_joint_state(
    stamp: Time, position: Vector, velocity: Vector | None = None, names: Sequence[str] = JOINTS
) -> JointState:
    """Make a sensor_msgs/JointState.

    Args:
        stamp: the message's stamp.
        position: joint positions (n,), rad or m.
        velocity: joint velocities (n,), rad/s or m/s; None leaves them out.
        names: names of the n joints.
    """
    message = JointState(name=names, position=position.tolist())
    message.velocity = [] if velocity is None else velocity.tolist()
    message.header.stamp = stamp
    return message


def joint_name_fault(message: JointState, names: Sequence[str]) -> str:
    """Return why a command's joints are not `names` in this order; empty if they are.

    A command may omit the names, or number the joints ("0", "1", ...) as cisst does.
    """
    numbered = [str(index) for index in range(len(names))]
    if message.name and list(message.name) not in (list(names), numbered):
        return f"its joints are {', '.join(message.name)}, not {', '.join(names)}"
    return ""


def to_twist(velocity: Vector) -> Twist:
    """Convert a velocity (6,), linear (m/s) then angular (rad/s), to geometry_msgs/Twist."""
    message = Twist()
    linear, angular = message.linear, message.angular
    linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = velocity.tolist()
    return message


def to_matrix_message(matrix: Vector) -> Float64MultiArray:
    """Convert a matrix (rows, columns) to std_msgs/Float64MultiArray, row by row."""
    message = Float64MultiArray(data=matrix.ravel().tolist())
    rows, columns = matrix.shape
    message.layout.dim = [
        MultiArrayDimension(label="rows", size=rows, stride=rows * columns),
        MultiArrayDimension(label="columns", size=columns, stride=columns),
    ]
    return message
