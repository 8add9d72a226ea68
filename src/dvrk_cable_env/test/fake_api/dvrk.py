"""Stands in for dvrk_python where there is none: the methods of `dvrk.psm` that DvrkArm uses.

FAKE_DVRK says as which version: 2.3 returns bare poses, 2.4 poses and stamps. As the real one it
subscribes without asking for what was published before, and its poses have no frame.
"""

from __future__ import annotations

import os
from typing import Any

from geometry_msgs.msg import PoseStamped, Quaternion

from crtk_msgs.msg import StringStamped


class Vector:
    """PyKDL.Vector, as far as it goes."""

    def __init__(self, x: float, y: float, z: float) -> None:
        self._values = (x, y, z)

    def __getitem__(self, axis: int) -> float:
        return self._values[axis]


class Rotation:
    """PyKDL.Rotation, as far as it goes: what it was made from."""

    def __init__(self, message: Quaternion) -> None:
        self.message = message

    @staticmethod
    def Quaternion(x: float, y: float, z: float, w: float) -> Rotation:  # noqa: N802
        return Rotation(Quaternion(x=x, y=y, z=z, w=w))


class Frame:
    """PyKDL.Frame."""

    def __init__(self, rotation: Rotation, position: Vector) -> None:
        self.M, self.p = rotation, position


class psm:  # noqa: N801, the name of the real one
    """One arm, seen through its topics."""

    def __init__(self, ral: Any, arm_name: str, connection_timeout: float = 5.0) -> None:
        node, self._poses = ral.node, dict[str, PoseStamped]()
        self._clock, self._stamped = node.get_clock(), os.environ["FAKE_DVRK"] == "2.4"
        for name in ("setpoint_cp", "measured_cp"):
            node.create_subscription(
                PoseStamped,
                f"{arm_name}/{name}",
                lambda pose, name=name: self._poses.update({name: pose}),
                10,
            )
        self._move = node.create_publisher(PoseStamped, f"{arm_name}/move_cp", 10)
        self._state = node.create_publisher(StringStamped, f"{arm_name}/state_command", 10)

    def setpoint_cp(self) -> Any:
        return self._pose("setpoint_cp")

    def measured_cp(self) -> Any:
        return self._pose("measured_cp")

    def state_command(self, state: str) -> None:
        self._state.publish(StringStamped(string=state))

    def move_cp(self, goal: Frame) -> None:
        message = PoseStamped()
        place = message.pose.position
        place.x, place.y, place.z = goal.p[0], goal.p[1], goal.p[2]
        message.pose.orientation = goal.M.message
        message.header.stamp = self._clock.now().to_msg()
        self._move.publish(message)

    def _pose(self, name: str) -> Any:
        if name not in self._poses:
            raise TimeoutError("no data received yet")
        message = self._poses[name]
        place, stamp = message.pose.position, message.header.stamp
        frame = Frame(Rotation(message.pose.orientation), Vector(place.x, place.y, place.z))
        return (frame, stamp.sec + stamp.nanosec * 1e-9) if self._stamped else frame
