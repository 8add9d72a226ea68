"""The filter that every planned action passes before the arm receives a command.

The functions are pure: no ROS, no clock, no memory. Stamps are nanoseconds, as in `limits`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dvrk_cable_env.arm.limits import AXES, ROUNDING, ArmLimits, ArmState, Decision, Request

EXACT = 1e-13
"""Metres: rounding error of a position in double precision."""
JOINTS = ("yaw", "pitch", "insertion", "roll", "wrist pitch", "wrist yaw")
"""The joints of a PSM, for messages."""
OUTSIDE = "the goal is outside the workspace"
TOO_FAST = "the step is too fast after the last one"


def decide(
    limits: ArmLimits,
    request: Request,
    arm: ArmState,
    *,
    now: int,
    motion_end: int,
    last_command: int = 0,
) -> Decision:
    """Pass, clamp, hold or refuse one planned action.

    The checks run in this order, and the first that fails gives the reason: the plan (feasible,
    size, finite, step length), the image (stamp, order, age), the arm (`not_ready`, at rest,
    tracking), the goal (speed, workspace). An infeasible plan holds the arm whatever its action.

    Args:
        limits: the limits in force.
        request: the planned action (m) and the stamp of its camera frame.
        arm: the arm's present state.
        now: the present time (ns); 0 while the clock is unknown.
        motion_end: when the arm last came to rest (ns). An older image shows another scene.
        last_command: when the previous motion was commanded (ns); 0 if there was none.

    Returns:
        The decision; if the arm is to move, with displacement and goal (m).
    """
    if not request.feasible:
        return Decision("held", request.lacks or "no feasible plan")
    reason = (
        _unfit_action(limits, request.action)
        or _unfit_image(limits, request.image_stamp, now, motion_end)
        or not_ready(limits, arm, now)
        or ("the arm is moving" if arm.is_busy else "")
        or _not_tracking(limits, arm)
    )
    if reason:
        return Decision("refused", reason)
    elapsed = (now - last_command) * 1e-9 if last_command > 0 else math.inf
    return _goal(limits, request.action, arm.setpoint, limits.longest_step(elapsed))


def not_ready(limits: ArmLimits, arm: ArmState, now: int) -> str:
    """Return why this arm may not be commanded at all at time `now` (ns); empty if it may.

    The text names limits and not readings, because it is published whenever it changes.
    """
    if arm.state != "ENABLED":
        return f"the arm is {arm.state}, not ENABLED" if arm.state else "no operating state yet"
    if not arm.is_homed:
        return "the arm is not homed"
    if now <= 0:
        return "no valid clock yet"
    late = timed_out(limits, arm, now)
    if late:
        return late
    if arm.stamp - now > limits.max_clock_skew * 1e9:
        return f"the robot state is more than {limits.max_clock_skew:g} s in the future"
    poses = (arm.setpoint, arm.measured)
    if any(len(pose) != 3 or not all(map(math.isfinite, pose)) for pose in poses):
        return "the robot pose is not finite"
    if limits.frame and arm.frame != limits.frame:
        return f"the robot pose is in frame '{arm.frame}', the workspace in '{limits.frame}'"
    return ""


def timed_out(limits: ArmLimits, arm: ArmState, now: int) -> str:
    """Return why the arm's state is too old at time `now` (ns) to rely on; empty if it is not."""
    if arm.stamp <= 0:
        return "no valid robot pose (stamp 0)"
    if now - arm.stamp > limits.max_state_age * 1e9:
        return f"the robot state is older than {limits.max_state_age:g} s"
    if arm.silence > limits.max_silence:
        return f"no robot pose for {limits.max_silence:g} s"
    if arm.base_stamp and arm.stamp - arm.base_stamp > limits.max_state_age * 1e9:
        return f"no pose on local/setpoint_cp for {limits.max_state_age:g} s: is the base moving?"
    return ""


def too_fast(limits: ArmLimits, arm: ArmState) -> str:
    """Return why the tip is too fast; empty if it is not."""
    if arm.speed <= limits.max_speed:
        return ""
    return f"the tip is faster than {limits.max_speed:g} m/s"


def overloaded(limits: ArmLimits, arm: ArmState) -> str:
    """Return which joint's effort exceeds its limit, or why that is unknown; empty if none does."""
    if not limits.max_effort:
        return ""
    if len(arm.effort) != len(limits.max_effort):
        count = len(limits.max_effort)
        return f"measured_js has {len(arm.effort)} efforts, limits.max_effort has {count}"
    if arm.stamp - arm.effort_stamp > limits.max_state_age * 1e9:
        return f"the efforts in measured_js are older than {limits.max_state_age:g} s"
    for index, (effort, largest) in enumerate(zip(arm.effort, limits.max_effort, strict=True)):
        if not abs(effort) <= largest:  # also NaN
            name = JOINTS[index] if index < len(JOINTS) else str(index)
            return f"the effort of joint {name} is above {largest:g}: does the arm press?"
    return ""


def _unfit_action(limits: ArmLimits, action: Sequence[float]) -> str:
    if len(action) != AXES:
        return f"the action has {len(action)} numbers, not {AXES}"
    if not all(map(math.isfinite, action)):
        return "the action is not finite"
    largest = max(map(abs, action))
    if largest > limits.max_step + ROUNDING:
        return f"a step of {largest:.4g} m, allowed {limits.max_step:g} m"
    return ""


def _unfit_image(limits: ArmLimits, stamp: int, now: int, motion_end: int) -> str:
    if now <= 0:
        return "no valid clock yet"
    if stamp <= 0:
        return "the image has no stamp"
    if stamp - now > limits.max_clock_skew * 1e9:
        return f"the image is {_seconds(stamp - now)} in the future"
    if stamp < motion_end:
        return "image older than the last motion"
    if now - stamp > limits.max_image_age * 1e9:
        return f"the image is {_seconds(now - stamp)} old, allowed {limits.max_image_age:g} s"
    return ""


def _not_tracking(limits: ArmLimits, arm: ArmState) -> str:
    gap = math.dist(arm.setpoint, arm.measured)
    if gap > limits.max_tracking_error:
        return f"the tip is {gap:.4g} m from its setpoint, allowed {limits.max_tracking_error:g} m"
    return ""


def _goal(
    limits: ArmLimits, action: Sequence[float], setpoint: Sequence[float], longest: float
) -> Decision:
    """Shorten a step that is too fast, move the goal into the workspace; `longest` in metres."""
    step = [_clip(float(value), -limits.max_step, limits.max_step) for value in action]
    length = math.hypot(*step)
    if length > longest:
        step = [value * longest / length for value in step]
    requested = [position + value for position, value in zip(setpoint, step, strict=False)]
    goal = tuple(map(_clip, requested, limits.low, limits.high))
    sent = tuple(step)
    outside = False
    if goal != tuple(requested):
        sent = tuple(end - position for end, position in zip(goal, setpoint, strict=False))
        if max(map(abs, sent)) > limits.max_step + EXACT or math.hypot(*sent) > longest + EXACT:
            return Decision("refused", "the arm is outside the workspace")
        outside = any(abs(a - b) > ROUNDING for a, b in zip(sent, step, strict=True))
    reasons = [TOO_FAST] * (length > longest + ROUNDING) + [OUTSIDE] * outside
    if not reasons:
        return Decision("sent", "", sent, goal)
    if limits.outside == "reject":
        return Decision("refused", "; ".join(reasons))
    return Decision("clamped", "; ".join(reasons), sent, goal)


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.3g} s"
