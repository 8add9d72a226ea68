"""The CRTK topics and services of a simulated arm, in front of a `Psm`.

The server publishes, subscribes to and serves what a PSM of the da Vinci Research Kit does
(sawIntuitiveResearchKit, CRTK), so that the dVRK's Python client finds everything.

The operating state is latched. As on the robot, it is published when it changes, in answer to every
state command, and at the start of every move, changed or not; its stamps strictly increase. It goes
out with the next tick, after that tick's clock: a client on simulated time recognises a motion as
its own only if the state is newer than the command.

Invalid data has stamp 0: poses and joints before homing, and always forces and torques, which are
not simulated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64, Float64MultiArray

from crtk_msgs.msg import OperatingState, StringStamped
from crtk_msgs.srv import QueryForwardKinematics, QueryInverseKinematics
from ls3_common import qos, topics
from ls3_common.ros import to_time
from ls3_sim import reach
from ls3_sim.crtk_messages import (
    JAW,
    from_pose_message,
    joint_name_fault,
    to_joint_state,
    to_matrix_message,
    to_pose_message,
    to_twist,
)
from ls3_sim.kinematics import (
    JOINTS,
    TipPose,
    Vector,
    body_jacobian,
    inverse,
    pose_of,
    spatial_jacobian,
    tip_jacobian,
)
from ls3_sim.psm import Psm

ANSWERED = ("state_command", "move_cp", "move_jp", "move_jr", "jaw/move_jp")
"""Commands that are answered with an operating state, changed or not."""
NO_FORCES = "forces and torques are not simulated"


class CrtkServer:
    """Publishes an arm's state and passes commands to the arm.

    Args:
        node: the node that owns the topics and services.
        name: CRTK name of the arm; its topics are ``<name>/...``, its frame is ``<name>_base``.
        psm: the simulated arm.
        now: returns the present time, ns, never 0.
    """

    def __init__(self, node: Node, name: str, psm: Psm, now: Callable[[], int]) -> None:
        self._node, self._name, self._psm, self._now = node, name, psm, now
        self._frame_id = f"{name}_base"
        self._state = ("", False, False)  # name, is_homed, is_busy
        self._events: list[tuple[str, bool, bool]] = []
        self._state_stamp = 0
        self._states = self._out(OperatingState, "operating_state", qos.LATCHED)
        self._ratios = self._out(Float64, "trajectory_j/ratio", qos.LATCHED)
        self._streams = self._open_streams()
        self._subscribe_commands()
        for service in ("forward_kinematics", "local/forward_kinematics"):
            self._serve(QueryForwardKinematics, service, self._forward)
        self._serve(QueryInverseKinematics, "inverse_kinematics", self._inverse)
        self._publish_events()
        self._ratios.publish(Float64(data=psm.ratio))

    def publish(self) -> None:
        """Publish every stream that has a subscriber, then any new operating state.

        The order matters: a client that learns that a motion has ended finds its end in the
        streams.
        """
        stamp = to_time(self._now()) if self._psm.is_homed else Time()
        for publisher, make in self._streams:
            if publisher.get_subscription_count():
                publisher.publish(make(stamp))
        self._publish_events()

    def _open_streams(self) -> list[tuple[Any, Callable[[Time], Any]]]:
        psm = self._psm
        js, cp, cf = JointState, PoseStamped, WrenchStamped
        makers: dict[str, tuple[type, Callable[[Time], Any]]] = {
            "measured_js": (js, lambda t: to_joint_state(t, psm.measured_joints, psm.velocity)),
            "setpoint_js": (js, lambda t: to_joint_state(t, psm.joints)),
            "jaw/measured_js": (js, lambda t: to_joint_state(t, psm.jaw, psm.jaw_velocity, JAW)),
            "jaw/setpoint_js": (js, lambda t: to_joint_state(t, psm.jaw, names=JAW)),
            "measured_cv": (TwistStamped, self._twist),
            "measured_cp": (cp, lambda t: self._pose(t, psm.measured)),
            "setpoint_cp": (cp, lambda t: self._pose(t, psm.setpoint)),
            # nothing carries the arm, so both are relative to the arm's own base
            "local/measured_cp": (cp, lambda t: self._pose(t, psm.measured)),
            "local/setpoint_cp": (cp, lambda t: self._pose(t, psm.setpoint)),
            "body/jacobian": (Float64MultiArray, lambda _: self._matrix(body_jacobian)),
            "spatial/jacobian": (Float64MultiArray, lambda _: self._matrix(spatial_jacobian)),
            "body/measured_cf": (cf, lambda _: self._framed(WrenchStamped(), Time())),
            "spatial/measured_cf": (cf, lambda _: self._framed(WrenchStamped(), Time())),
        }
        return [(self._out(kind, name), make) for name, (kind, make) in makers.items()]

    def _subscribe_commands(self) -> None:
        psm, js = self._psm, JointState
        move_jr = functools.partial(psm.move_jp, relative=True)
        servo_jr = functools.partial(psm.servo_jp, relative=True)
        commands: dict[str, tuple[type, Callable[[Any], str | None]]] = {
            "state_command": (StringStamped, lambda m: psm.state_command(m.string)),
            "hold": (Empty, lambda _: psm.hold()),
            "free": (Empty, lambda _: psm.free()),
            "move_cp": (PoseStamped, lambda m: self._to_pose(m, psm.move_cp)),
            "servo_cp": (PoseStamped, lambda m: self._to_pose(m, psm.servo_cp)),
            "move_jp": (js, lambda m: joint_name_fault(m, JOINTS) or psm.move_jp(m.position)),
            "move_jr": (js, lambda m: joint_name_fault(m, JOINTS) or move_jr(m.position)),
            "servo_jp": (js, lambda m: joint_name_fault(m, JOINTS) or psm.servo_jp(m.position)),
            "servo_jr": (js, lambda m: joint_name_fault(m, JOINTS) or servo_jr(m.position)),
            "jaw/move_jp": (js, lambda m: joint_name_fault(m, JAW) or psm.move_jaw(m.position)),
            "jaw/servo_jp": (js, lambda m: joint_name_fault(m, JAW) or psm.servo_jaw(m.position)),
            "emulate_tool_present": (Bool, lambda m: psm.set_tool_present(m.data)),
            "trajectory_j/set_ratio": (Float64, self._set_ratio),
            "servo_jf": (js, lambda _: NO_FORCES),
            "jaw/servo_jf": (js, lambda _: NO_FORCES),
            "body/servo_cf": (WrenchStamped, lambda _: NO_FORCES),
            "spatial/servo_cf": (WrenchStamped, lambda _: NO_FORCES),
            "body/set_cf_orientation_absolute": (Bool, lambda _: NO_FORCES),
            "use_gravity_compensation": (Bool, lambda _: NO_FORCES),
        }
        for name, (kind, command) in commands.items():
            self._subscribe(kind, name, command)

    def _subscribe(self, kind: type, name: str, command: Callable[[Any], str | None]) -> None:
        def on_command(message: Any) -> None:
            reason = command(message)
            if reason:  # as on the robot, only the log says why the arm does not move
                self._node.get_logger().warning(f"{name} dropped: {reason}")
            self._note_state(event=name in ANSWERED and not reason)

        topic = topics.arm(self._name, name)
        self._node.create_subscription(kind, topic, on_command, qos.RELIABLE)

    def _out(self, kind: Any, name: str, profile: QoSProfile = qos.NEWEST) -> Any:
        return self._node.create_publisher(kind, topics.arm(self._name, name), profile)

    def _serve(self, kind: Any, name: str, answer: Callable[[Any, Any], Any]) -> None:
        self._node.create_service(kind, topics.arm(self._name, name), answer)

    def _note_state(self, event: bool = False) -> None:
        state = (self._psm.state, self._psm.is_homed, self._psm.is_busy)
        if event or state != self._state:
            self._events.append(state)
        self._state = state

    def _publish_events(self) -> None:
        self._note_state()
        for name, is_homed, is_busy in self._events:
            self._state_stamp = max(self._now(), self._state_stamp + 1)
            message = OperatingState(state=name, is_homed=is_homed, is_busy=is_busy)
            message.header.stamp = to_time(self._state_stamp)
            self._states.publish(message)
        self._events.clear()

    def _to_pose(self, message: PoseStamped, command: Callable[[TipPose], str]) -> str:
        frame = message.header.frame_id
        if frame not in ("", self._frame_id):
            return f"its frame is '{frame}', not '{self._frame_id}'"
        return command(from_pose_message(message.pose))

    def _set_ratio(self, message: Float64) -> str:
        reason = self._psm.set_ratio(message.data)
        if not reason:
            self._ratios.publish(message)
        return reason

    def _forward(
        self, request: QueryForwardKinematics.Request, response: QueryForwardKinematics.Response
    ) -> QueryForwardKinematics.Response:
        joints = np.array(request.jp)
        wrong = "" if joints.size == len(JOINTS) else f"{joints.size} joint positions, not 6"
        response.message = wrong or reach.refuse_joints(joints)
        response.result = not response.message
        if response.result:
            response.cp = to_pose_message(pose_of(joints))
        return response

    def _inverse(
        self, request: QueryInverseKinematics.Request, response: QueryInverseKinematics.Response
    ) -> QueryInverseKinematics.Response:
        """Solve for the joints nearest to the request's, or to the setpoint if it has none."""
        pose, near = from_pose_message(request.cp), np.array(request.jp)
        if near.size != len(JOINTS) or not np.isfinite(near).all():
            near = self._psm.joints
        response.message = reach.refuse_pose(pose, near)
        response.result = not response.message
        if response.result:
            response.jp = inverse(pose, near).tolist()
        return response

    def _framed(self, message: Any, stamp: Time) -> Any:
        message.header.stamp, message.header.frame_id = stamp, self._frame_id
        return message

    def _pose(self, stamp: Time, pose: TipPose) -> PoseStamped:
        return self._framed(PoseStamped(pose=to_pose_message(pose)), stamp)

    def _matrix(self, jacobian: Callable[[Vector], Vector]) -> Float64MultiArray:
        return to_matrix_message(jacobian(self._psm.measured_joints))

    def _twist(self, stamp: Time) -> TwistStamped:
        velocity = tip_jacobian(self._psm.measured_joints) @ self._psm.velocity
        return self._framed(TwistStamped(twist=to_twist(velocity)), stamp)
