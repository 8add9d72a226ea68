"""Asks the arm's inverse kinematics whether the arm reaches the corners of the workspace."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from crtk_msgs.srv import QueryInverseKinematics
from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.preflight.arm import TIP
from ls3_common import topics


class Reach:
    """A client of the service, which computes and moves nothing."""

    def __init__(self, node: Node, arm: str) -> None:
        """Ask the arm of this CRTK name, with a client on `node`."""
        name = topics.arm(arm, "inverse_kinematics")
        self._client = node.create_client(QueryInverseKinematics, name)
        self._answers: dict[str, Any] = {}

    def ask(self, limits: ArmLimits, setpoint: PoseStamped, joints: JointState) -> None:
        """Ask once, if the service is there: for the present pose, and for each corner.

        Args:
            limits: have the corners of the workspace, m.
            setpoint: has the height and the orientation that the tool keeps.
            joints: present joint positions, near which solutions are looked for.
        """
        if self._answers or not self._client.service_is_ready():
            return
        place = setpoint.pose.position
        self._ask(TIP, (place.x, place.y), setpoint, joints)
        for corner in itertools.product(*zip(limits.low, limits.high, strict=True)):
            text = ", ".join(f"{value:.4g}" for value in corner)
            self._ask(f"({text})", corner, setpoint, joints)

    def _ask(
        self, name: str, xy: Sequence[float], setpoint: PoseStamped, joints: JointState
    ) -> None:
        pose = PoseMessage(orientation=setpoint.pose.orientation)
        pose.position.x, pose.position.y = xy
        pose.position.z = setpoint.pose.position.z
        request = QueryInverseKinematics.Request(cp=pose, jp=joints.position)
        self._answers[name] = self._client.call_async(request)

    @property
    def done(self) -> bool:
        """Whether every answer is there, or nothing can be asked."""
        if not self._client.service_is_ready():
            return True
        return bool(self._answers) and all(answer.done() for answer in self._answers.values())

    def places(self) -> dict[str, str] | None:
        """Return why each place is out of reach, empty if it is not; None without all answers."""
        if not self._answers or not all(answer.done() for answer in self._answers.values()):
            return None
        found = {name: answer.result() for name, answer in self._answers.items()}
        return {
            name: "" if answer.result else answer.message or "no solution"
            for name, answer in found.items()
        }
