"""An arm that is reached through the dvrk-python API (2.3 or 2.4), as a lab's own programs do.

The API runs on arm_node's own node, so that its callbacks and arm_node's run in one thread.
Functions of the API that wait are not called: enable, home, wait and the kinematics.

The API lacks three things, which this module reads from the arm's topics: the operating state that
the robot published before the start (the API's subscription is not latched), the frame of a pose,
and in version 2.3 the stamp of a pose.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Empty

from crtk_msgs.msg import OperatingState
from dvrk_cable_env.arm.limits import ArmState
from dvrk_cable_env.arm.messages import is_rotation, to_pose
from dvrk_cable_env.arm.pose import Pose
from dvrk_cable_env.arm.reports import ArmReports, Callbacks
from dvrk_cable_env.arm.stop_topics import Freeze, acknowledged
from ls3_common import qos, topics
from ls3_common.errors import UserError
from ls3_common.ros import nanoseconds

CONNECTION_TIMEOUT = 3600.0
"""Seconds without a pose after which the API raises. Long, because `ArmLimits` judges the age."""
POSES = ("setpoint_cp", "measured_cp")


class DvrkArm:
    """The `Arm` protocol over `dvrk.psm` of the dvrk-python API."""

    def __init__(
        self,
        node: Node,
        name: str,
        callbacks: Callbacks,
        *,
        efforts: bool = False,
        freeze: Freeze | None = None,
    ) -> None:
        """Create the API's arm `name` on `node`, and watch the joints' efforts if `efforts`.

        freeze: stops an arm that has no `hold`; None if such an arm is refused.

        Raises:
            UserError: the Python packages `crtk` or `dvrk` cannot be imported.
        """
        crtk, dvrk = _load("crtk"), _load("dvrk")
        self._callbacks, self._freeze = callbacks, freeze
        self._psm = dvrk.psm(
            crtk.ral(node.get_name(), node=node), name, connection_timeout=CONNECTION_TIMEOUT
        )
        self._operating = OperatingState()
        self._heads: dict[str, PoseStamped] = {}
        self._heard = time.monotonic()
        # the API cannot wait for the delivery of a hold
        self._hold = node.create_publisher(Empty, topics.arm(name, "hold"), qos.RELIABLE)
        node.create_subscription(
            OperatingState, topics.arm(name, "operating_state"), self._take_state, qos.CHANGES
        )
        for topic in POSES:
            node.create_subscription(
                PoseStamped,
                topics.arm(name, topic),
                lambda pose, topic=topic: self._take_head(topic, pose),
                qos.NEWEST,
            )
        self._reports = ArmReports(
            node,
            name,
            efforts=efforts,
            on_change=lambda: None,
            on_complaint=callbacks.complaint,
        )
        self._state_topic = topics.arm(name, "state_command")
        self._node = node

    def state(self) -> ArmState:
        operating = self._operating
        known: dict[str, Any] = {
            "state": operating.state,
            "is_homed": operating.is_homed,
            "is_busy": operating.is_busy,
            "silence": time.monotonic() - self._heard,
        }
        setpoint, measured = (self._pose(topic) for topic in POSES)
        if setpoint is None or measured is None:
            return ArmState(**known)
        # the API's rotation is a class of its own; the topic's is a quaternion
        turned, tip_turned = (to_pose(self._heads[topic]).rotation for topic in POSES)
        valid = all(map(is_rotation, self._heads.values()))
        state = ArmState(
            **known,
            stamp=min(setpoint[1], measured[1]) if valid else 0,
            frame=" and ".join(sorted({head.header.frame_id for head in self._heads.values()})),
            setpoint=_position(setpoint[0]),
            measured=_position(measured[0]),
            setpoint_rotation=turned,
            measured_rotation=tip_turned,
        )
        return self._reports.complete(state)

    def command(self, name: str) -> bool:
        if self._node.count_subscribers(self._state_topic) == 0:
            return False
        self._psm.state_command(name)
        return True

    def move(self, goal: Pose) -> tuple[float, ...]:
        pose = self._pose("setpoint_cp")
        if pose is None:
            return ()
        setpoint = pose[0]
        # the classes of the setpoint (PyKDL), so that PyKDL need not be imported here
        turn = type(setpoint.M).Quaternion(*goal.rotation)
        target = type(setpoint)(turn, type(setpoint.p)(*goal.position))
        self._psm.move_cp(target)
        return (float(target.p[0]), float(target.p[1]))

    def hold(self) -> None:
        self._hold.publish(Empty())

    def freeze(self) -> bool:
        return self._freeze is not None and self._freeze.send()

    def received(self) -> bool:
        return acknowledged(self._hold) and (self._freeze is None or self._freeze.received())

    def _take_state(self, state: OperatingState) -> None:
        self._operating = state
        self._callbacks.state()

    def _take_head(self, topic: str, pose: PoseStamped) -> None:
        self._heads[topic] = pose
        self._heard = time.monotonic()
        self._reports.take(topic, pose)
        self._callbacks.pose()

    def _pose(self, topic: str) -> tuple[Any, int] | None:
        """The pose (PyKDL.Frame) and its stamp (ns); None while the API has none."""
        head = self._heads.get(topic)
        if head is None:
            return None
        try:
            answer = getattr(self._psm, topic)()
        except TimeoutError:
            return None
        stamp = nanoseconds(head.header.stamp)
        if isinstance(answer, tuple):  # version 2.4 adds the stamp in seconds, 0 if invalid
            answer, seconds = answer
            stamp = min(stamp, round(seconds * 1e9))
        return answer, stamp


def _load(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"the dvrk backend needs the Python package '{module}': {error}",
            where="arm_node",
            do="source the robot's workspace (docs/robot.md), or set backend: crtk, which needs "
            "no such package",
        ) from None


def _position(frame: Any) -> tuple[float, ...]:
    return tuple(float(frame.p[axis]) for axis in range(3))
