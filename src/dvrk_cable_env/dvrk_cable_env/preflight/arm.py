"""The checks of `preflight` that look at the arm and at who may move it. Pure: no ROS."""

from __future__ import annotations

import math

from dvrk_cable_env.arm.limits import AXES, ArmLimits
from dvrk_cable_env.preflight.seen import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    PoseStream,
    PreflightConfig,
    Seen,
)


def arm_state(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """Enabled, homed, at rest."""
    topic = f"{seen.arm_name}/operating_state"
    home = "call ~/home of arm_node, which moves the arm"
    if not seen.state:
        do = "start the robot's dvrk_system, or sim_node"
        return CheckResult("arm state", FAILED, f"nothing arrives on {topic}", do)
    what = f"{seen.state}, {'homed' if seen.is_homed else 'not homed'}"
    if seen.state != "ENABLED":
        do = home if seen.state == "DISABLED" else "mend the cause at the robot, then enable it"
        return CheckResult("arm state", FAILED, what, do)
    if not seen.is_homed:
        return CheckResult("arm state", FAILED, what, home)
    if seen.is_busy or seen.moving:
        return CheckResult("arm state", FAILED, f"{what}, moving", "wait until it is at rest")
    return CheckResult("arm state", OK, what)


def arm_pose(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """Where the arm says it is: in the right frame, of now, tracking, inside the box."""
    if seen.arm is None:
        return CheckResult("arm pose", FAILED, "arm_node does not answer", START)
    have = seen.arm.limits
    frame = have.frame or f"{seen.arm.arm}_base"
    for pose in (seen.setpoint, seen.measured):
        fault = _pose_fault(pose, frame, have)
        if fault:
            return CheckResult("arm pose", FAILED, *fault)
    gap = math.dist(seen.setpoint.position, seen.measured.position)
    if gap > have.max_tracking_error:
        what = f"the tip is {gap:.4f} m from its setpoint, allowed {have.max_tracking_error:g} m"
        return CheckResult("arm pose", FAILED, what, "free the arm; wait until it is at rest")
    tip = ", ".join(f"{value:.4f}" for value in seen.measured.position)
    what = f"tip at ({tip}) m in {frame}, {gap * 1e3:.1f} mm from its setpoint"
    return CheckResult("arm pose", OK, f"{what}, {seen.measured.stream.rate:.0f} Hz")


def _pose_fault(pose: PoseStream, frame: str, have: ArmLimits) -> tuple[str, str] | None:
    fault = pose.stream.fault(have.max_state_age, have.max_clock_skew)
    if fault:
        return fault, "start the robot's dvrk_system; one clock for all computers (chrony)"
    if pose.frame != frame:
        what = f"{pose.stream.topic} is in frame '{pose.frame}', arm_node expects '{frame}'"
        return what, "set limits.frame of arm_node, and measure the workspace in that frame"
    if not pose.is_rotation or not all(map(math.isfinite, pose.position)):
        return f"{pose.stream.topic} is no pose: {pose.position}", "home the arm"
    inside = (
        low <= value <= high
        for low, value, high in zip(have.low, pose.position[:AXES], have.high, strict=True)
    )
    if not all(inside):
        place = ", ".join(f"{value:.4f}" for value in pose.position[:AXES])
        what = f"the tip is outside the workspace: {pose.stream.topic} at ({place}) m"
        return what, f"guide it into {have.low} to {have.high} m, or measure the box again"
    return None


def commander(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """Nobody but arm_node can move the arm."""
    if seen.commanders or seen.teleoperation:
        what = "; ".join(
            (*(f"also commanded by {who}" for who in seen.commanders), *seen.teleoperation)
        )
        return CheckResult("sole commander", FAILED, what, "stop it; leave teleoperation")
    if seen.arm is not None and not seen.arm.guards.sole_commander:
        do = "set guards.sole_commander of arm_node"
        return CheckResult("sole commander", WARNING, "nobody else now, but it is not watched", do)
    return CheckResult("sole commander", OK, "nobody but arm_node publishes motions")


def pedal(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """A dead-man pedal is configured, and there."""
    if seen.arm is None:
        return CheckResult("pedal", FAILED, "arm_node does not answer", START)
    guards = seen.arm.guards
    topic = guards.pedal_topic
    if not topic:
        do = "set guards.pedal_topic of arm_node, for instance /footpedals/coag"
        return CheckResult("pedal", WARNING, "no dead-man pedal is configured", do)
    if not seen.pedal_present:
        return CheckResult(
            "pedal", FAILED, f"nobody publishes {topic}", "plug it in; mend the topic"
        )
    if guards.pedal_max_age and not seen.pedal_heard:
        do = "plug it in; guards.pedal_max_age 0 is for one that speaks on change only"
        return CheckResult("pedal", FAILED, f"{topic} is silent", do)
    return CheckResult("pedal", OK, topic)
