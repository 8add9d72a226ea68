"""Joints, jaw, velocities and kinematics of sim_node's arm over real DDS."""

from __future__ import annotations

import math

import numpy as np
import pytest
from crtk_client import nanoseconds
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from crtk_msgs.srv import QueryForwardKinematics, QueryInverseKinematics
from ls3_common import qos
from ls3_sim.kinematics import JOINTS

pytestmark = pytest.mark.background


def test_joints_move_and_servo_absolutely_and_by_differences(psm):
    begin = psm.joints()
    goal = begin + np.array([0.05, 0.05, 0.005, 0.5, 0.2, -0.2])
    assert psm.do("move_jp", goal) == [("ENABLED", True, True), ("ENABLED", True, False)]
    psm.sim.wait(0.2)
    assert psm.joints("setpoint_js") == pytest.approx(goal, abs=1e-9)
    assert psm.joints() == pytest.approx(goal, abs=0.01)
    assert len(psm.do("move_jr", begin - goal)) == 2
    assert psm.joints("setpoint_js") == pytest.approx(begin, abs=1e-9)
    count = len(psm.states)
    psm.say("servo_jp", goal)
    psm.reaches("setpoint_js", goal)
    psm.say("servo_jr", [0.01, 0, 0, 0, 0, 0])
    psm.reaches("setpoint_js", goal + 0.01 * np.eye(6)[0])
    assert len(psm.states) == count  # a servo is never busy


def test_joints_may_be_numbered(psm):
    """Generic names, as cisst gives them, and of the jaw."""
    goal = psm.joints("setpoint_js") + 0.01 * np.eye(6)[3]
    psm.said["servo_jp"].publish(JointState(name=list("012345"), position=goal.tolist()))
    psm.reaches("setpoint_js", goal)
    psm.said["servo_jr"].publish(JointState(name=list("012345"), position=[0.0] * 5 + [0.01]))
    psm.reaches("setpoint_js", goal + 0.01 * np.eye(6)[5])
    psm.said["jaw/servo_jp"].publish(JointState(name=["0"], position=[0.2]))
    psm.reaches("jaw/setpoint_js", [0.2])


def test_joints_in_another_order_or_out_of_reach_are_dropped(psm):
    count, before = len(psm.states), psm.joints("setpoint_js")
    named = JointState(name=JOINTS[::-1], position=[0.0, 0.0, 0.0, 0.12, 0.0, 0.0])
    psm.said["move_jp"].publish(named)
    for name in ("move_jp", "servo_jp"):
        psm.say(name, [0.0, 0.0, 0.5, 0.0, 0.0, 0.0])
        psm.say(name, [0.0, 0.0])
    for name in ("jaw/move_jp", "jaw/servo_jp"):
        psm.say(name, [math.pi])
    for name in ("servo_jf", "jaw/servo_jf"):
        psm.said[name].publish(JointState(effort=[0.0]))
    psm.sim.wait(0.5)
    assert len(psm.states) == count
    assert psm.joints("setpoint_js") == pytest.approx(before)


def test_the_jaw_opens_and_closes(psm):
    for angle in (math.radians(60), math.radians(-20)):
        assert psm.do("jaw/move_jp", [angle]) == [("ENABLED", True, True), ("ENABLED", True, False)]
        assert psm.joints("jaw/measured_js") == pytest.approx([angle])
        assert psm.joints("jaw/setpoint_js") == pytest.approx([angle])
    psm.say("jaw/servo_jp", [0.1])
    psm.reaches("jaw/measured_js", [0.1])


def test_the_speed_ratio_is_told_to_who_comes_late(psm):
    psm.say("trajectory_j/set_ratio", 0.5)
    psm.sim.until(lambda: psm.heard["trajectory_j/ratio"])
    before = len(psm.states)
    psm.do("move_cp", psm.sim.pose(-0.09, 0.055))  # 5 cm: one second, now two
    busy, idle = map(nanoseconds, psm.heard["operating_state"][before:])
    assert (idle - busy) * 1e-9 == pytest.approx(2.0, abs=0.05)
    psm.say("trajectory_j/set_ratio", 2.0)  # dropped
    psm.sim.wait(0.2)
    late = psm.sim.hear(Float64, "PSM1/trajectory_j/ratio", qos.LATCHED)
    psm.sim.until(lambda: late)
    assert late[-1].data == 0.5
    psm.say("trajectory_j/set_ratio", 1.0)
    psm.sim.until(lambda: late[-1].data == 1.0)


def test_without_an_instrument_the_tip_takes_no_commands(psm):
    psm.say("emulate_tool_present", False)
    psm.sim.wait(0.5)
    count = len(psm.states)
    psm.say("move_cp", psm.sim.pose(-0.09, 0.02))
    psm.sim.wait(0.3)
    assert len(psm.states) == count
    psm.say("emulate_tool_present", True)
    psm.sim.wait(0.5)
    assert len(psm.do("move_cp", psm.sim.pose(-0.09, 0.02))) == 2


def test_velocities_and_jacobians_belong_together(psm):
    psm.say("move_cp", psm.sim.pose(-0.09, 0.12))  # in y at 5 cm/s for over two seconds
    psm.sim.until(lambda: psm.states[-1][2])
    psm.sim.wait(0.5)
    twist = psm.now("measured_cv").twist
    assert [twist.linear.x, twist.linear.y, twist.linear.z] == pytest.approx([0, 0.05, 0], abs=5e-3)
    psm.say("hold")
    psm.sim.wait(0.3)
    matrices = {}
    for name in ("body", "spatial"):
        message = psm.now(f"{name}/jacobian")
        sizes = [dimension.size for dimension in message.layout.dim]
        assert sizes == [6, 6]
        matrices[name] = np.array(message.data).reshape(sizes)
    turn = np.linalg.norm(matrices["body"][3:], axis=0)
    assert turn == pytest.approx([1, 1, 0, 1, 1, 1])  # all but the insertion are turns
    assert matrices["spatial"][:3, :2] == pytest.approx(np.zeros((3, 2)), abs=1e-9)


@pytest.mark.parametrize("prefix", ["", "local/"])
def test_forward_kinematics_of_the_measured_joints_is_the_measured_pose(psm, prefix):
    joints, measured = psm.joints(), psm.now(f"{prefix}measured_cp").pose.position
    request = QueryForwardKinematics.Request(jp=joints.tolist())
    answer = psm.call(f"{prefix}forward_kinematics", request)
    assert (answer.result, answer.message) == (True, "")
    found = answer.cp.position
    assert (found.x, found.y, found.z) == pytest.approx(
        (measured.x, measured.y, measured.z), abs=1e-6
    )


def test_inverse_kinematics_gives_the_solution_near_the_reference(psm):
    joints = np.array([0.1, 0.2, 0.12, 4.0, 0.3, -0.2])
    pose = psm.call("forward_kinematics", QueryForwardKinematics.Request(jp=joints.tolist())).cp
    request = QueryInverseKinematics.Request(cp=pose, jp=joints.tolist())
    assert np.array(psm.call("inverse_kinematics", request).jp) == pytest.approx(joints)
    answer = psm.call("inverse_kinematics", QueryInverseKinematics.Request(cp=pose))
    assert answer.jp[3] == pytest.approx(4.0 - 2 * math.pi)  # near the present roll


@pytest.mark.parametrize(
    ("jp", "text"), [([0.0] * 3, "3 joint positions, not 6"), ([9.0] * 6, "yaw would leave")]
)
def test_kinematics_say_why_they_cannot(psm, jp, text):
    answer = psm.call("forward_kinematics", QueryForwardKinematics.Request(jp=jp))
    assert not answer.result
    assert text in answer.message
    answer = psm.call("inverse_kinematics", QueryInverseKinematics.Request())  # an empty pose
    assert not answer.result
    assert "remote centre" in answer.message
