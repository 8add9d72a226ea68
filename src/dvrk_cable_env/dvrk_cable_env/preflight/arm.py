"""The checks of `preflight` that concern the arm and its commanders. No ROS.

Each check takes the findings and the configuration of preflight, and returns its result.
"""

from __future__ import annotations

import math

from dvrk_cable_env.arm.limits import AXES, ArmLimits
from dvrk_cable_env.arm.pose import IDENTITY, angle, base_of
from dvrk_cable_env.preflight.findings import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    Findings,
    PoseStream,
    PreflightConfig,
)

MAX_LEAN = math.radians(2.0)
"""Angle between the z axes of the arm's base and of its poses above which the operator is asked."""
TIP = "tip"
"""The present pose among the places of `Findings.reach`."""


def arm_state(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the arm is enabled, homed and at rest."""
    topic = f"{findings.arm_name}/operating_state"
    home = "call ~/home of arm_node, which moves the arm"
    if not findings.state:
        do = "start the robot's dvrk_system, or sim_node"
        return CheckResult("arm state", FAILED, f"nothing arrives on {topic}", do)
    what = f"{findings.state}, {'homed' if findings.is_homed else 'not homed'}"
    if findings.state != "ENABLED":
        cure = "remove the cause at the robot, then enable the arm"
        do = home if findings.state == "DISABLED" else cure
        return CheckResult("arm state", FAILED, what, do)
    if not findings.is_homed:
        return CheckResult("arm state", FAILED, what, home)
    if findings.is_busy or findings.moving:
        return CheckResult("arm state", FAILED, f"{what}, moving", "wait until the arm is at rest")
    return CheckResult("arm state", OK, what)


def arm_pose(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the arm's poses are recent, close together, and inside the workspace.

    Returns:
        FAILED with the first fault, also if arm_node does not answer; otherwise OK with the tip's
        position, m, and the rate of measured_cp, Hz.
    """
    if findings.arm is None:
        return CheckResult("arm pose", FAILED, "arm_node does not answer", START)
    limits = findings.arm.limits
    frame = limits.frame or f"{findings.arm.arm}_base"
    for pose in (findings.setpoint, findings.measured):
        fault = _pose_fault(pose, frame, limits)
        if fault:
            return CheckResult("arm pose", FAILED, *fault)
    gap = math.dist(findings.setpoint.position, findings.measured.position)
    if gap > limits.max_tracking_error:
        what = f"the tip is {gap:.4f} m from its setpoint, allowed {limits.max_tracking_error:g} m"
        return CheckResult("arm pose", FAILED, what, "free the arm; wait until it is at rest")
    tip = ", ".join(f"{value:.4f}" for value in findings.measured.position)
    what = f"tip at ({tip}) m in {frame}, {gap * 1e3:.1f} mm from its setpoint"
    return CheckResult("arm pose", OK, f"{what}, {findings.measured.stream.rate:.0f} Hz")


def _pose_fault(pose: PoseStream, frame: str, limits: ArmLimits) -> tuple[str, str] | None:
    """What is wrong with a pose and what to do; None if the pose is good."""
    fault = pose.stream.fault(limits.max_state_age, limits.max_clock_skew)
    if fault:
        return fault, "start the robot's dvrk_system; synchronise all computers (chrony)"
    if pose.frame != frame:
        what = f"{pose.stream.topic} is in frame '{pose.frame}', arm_node expects '{frame}'"
        return what, "set limits.frame of arm_node, and measure the workspace in that frame"
    if not pose.is_rotation or not all(map(math.isfinite, pose.position)):
        return f"{pose.stream.topic} is not a valid pose: {pose.position}", "home the arm"
    inside = (
        low <= value <= high
        for low, value, high in zip(limits.low, pose.position[:AXES], limits.high, strict=True)
    )
    if not all(inside):
        place = ", ".join(f"{value:.4f}" for value in pose.position[:AXES])
        what = f"the tip is outside the workspace: {pose.stream.topic} at ({place}) m"
        do = f"guide the tip into {limits.low} to {limits.high} m, or measure the box again"
        return what, do
    return None


def base(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Show where the arm's base is in the frame of its poses; warn if their z axes differ.

    With a camera arm, poses are in the camera's frame. A step (dx, dy) then goes up or down, unless
    z of that frame is the normal of the table, which nobody but the operator knows.
    """
    setpoint, local = findings.setpoint, findings.local
    if not (setpoint.position and local.position and setpoint.is_rotation and local.is_rotation):
        what = f"nothing usable arrives on {local.stream.topic}: a base that moves stays unnoticed"
        do = "see that no camera arm and no setup joint moves the frame of setpoint_cp"
        return CheckResult("base", WARNING, what, do)
    found = base_of(setpoint.pose, local.pose)
    place = ", ".join(f"{value:.4f}" for value in found.position)
    turn = math.degrees(angle(found.rotation, IDENTITY))
    what = f"{local.frame} at ({place}) m, turned by {turn:.1f} degrees in {setpoint.frame}"
    lean = math.acos(min(1.0, max(-1.0, found.rotate((0.0, 0.0, 1.0))[2])))
    if not lean <= MAX_LEAN:
        what = f"{what}; z of the base leans by {math.degrees(lean):.1f} degrees"
        do = "see that z of limits.frame is the table's normal (docs/robot.md, section 2)"
        return CheckResult("base", WARNING, what, do)
    return CheckResult("base", OK, what)


def reach(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the arm's own inverse kinematics reaches every corner of the workspace."""
    places = findings.reach
    if places is None:
        topic = f"{findings.arm_name}/inverse_kinematics"
        do = "guide the tip to every corner of the box"
        return CheckResult("reach", WARNING, f"{topic} does not answer", do)
    if places.get(TIP):
        what = f"inverse_kinematics refuses the present pose: {places[TIP]}"
        return CheckResult("reach", WARNING, what, "guide the tip to every corner of the box")
    missed = [f"{place}: {reason}" for place, reason in places.items() if reason]
    if missed:
        do = "make the box smaller, or arm at another height or orientation of the tool"
        return CheckResult("reach", FAILED, f"out of reach: {'; '.join(missed)}", do)
    return CheckResult("reach", OK, "every corner of the box, at the present height")


def commander(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that no node except arm_node can move the arm."""
    if findings.commanders or findings.teleoperation:
        others = [f"also commanded by {node}" for node in findings.commanders]
        what = "; ".join((*others, *findings.teleoperation))
        return CheckResult("sole commander", FAILED, what, "stop that node; leave teleoperation")
    if findings.arm is not None and not findings.arm.guards.sole_commander:
        do = "set guards.sole_commander of arm_node"
        what = "no other commander now, but arm_node does not watch for one"
        return CheckResult("sole commander", WARNING, what, do)
    return CheckResult("sole commander", OK, "no other node publishes motions")


def stop(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that a stop would reach the arm."""
    if findings.hold_heard:
        return CheckResult("stop", OK, f"the arm subscribes to {findings.arm_name}/hold")
    what = f"no program that drives an arm subscribes to {findings.arm_name}/hold"
    if findings.arm is None or findings.arm.guards.require_hold:
        do = "start the robot's dvrk_system; of an arm without hold, see guards.require_hold"
        return CheckResult("stop", FAILED, f"{what}: a stop would not be heard", do)
    do = "expect ~/arm to try the stop; keep a hand on the robot's emergency stop"
    return CheckResult("stop", WARNING, f"{what}; servo_jp and pause take its place", do)


def pedal(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that a dead-man pedal is configured and that its messages arrive."""
    if findings.arm is None:
        return CheckResult("pedal", FAILED, "arm_node does not answer", START)
    guards = findings.arm.guards
    topic = guards.pedal_topic
    if not topic:
        do = "set guards.pedal_topic of arm_node, e.g. /footpedals/coag"
        return CheckResult("pedal", WARNING, "no dead-man pedal is configured", do)
    if not findings.pedal_present:
        return CheckResult(
            "pedal",
            FAILED,
            f"no node publishes {topic}",
            "connect the pedal, or correct guards.pedal_topic",
        )
    if guards.pedal_max_age and not findings.pedal_heard:
        do = "connect the pedal; if it publishes on change only, set guards.pedal_max_age to 0"
        return CheckResult("pedal", FAILED, f"nothing arrives on {topic}", do)
    return CheckResult("pedal", OK, topic)
