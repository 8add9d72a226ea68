"""The filter that every planned action passes before the arm hears of it.

Pure: no ROS, no clock of its own, no memory. Stamps as in `limits`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dvrk_cable_env.arm.limits import AXES, ROUNDING, ArmLimits, ArmState, Decision, Request

EXACT = 1e-13
"""Metres; what double precision loses of a position."""
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
    """Pass, clamp or stop one requested action.

    The checks run in this order and the first that fails gives the reason: the plan itself
    (feasible, size, finite, step), its image (age, order), the arm (`not_ready`), the goal.
    Not trusting the planner, an infeasible plan holds the arm whatever action it carries.

    Args:
        now: the present (ns); 0 while no clock is known.
        motion_end: when the arm last came to rest (ns). An older image shows another scene.
        last_command: when the last motion was commanded (ns); 0 for none.
    """
    if not request.feasible:
        return Decision("held", "no feasible plan")
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
    """Why this arm may not be commanded at all; empty when it may.

    The text names limits, not readings: it is published whenever it changes.
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
    """Why a robot that was heard before counts as lost; empty when it does not."""
    if arm.stamp <= 0:
        return "no valid robot pose (stamp 0)"
    if now - arm.stamp > limits.max_state_age * 1e9:
        return f"the robot state is older than {limits.max_state_age:g} s"
    if arm.silence > limits.max_silence:
        return f"no robot pose for {limits.max_silence:g} s"
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
    step = [_clip(float(value), -limits.max_step, limits.max_step) for value in action]
    length = math.hypot(*step)
    if length > longest:
        step = [value * longest / length for value in step]
    asked = [position + value for position, value in zip(setpoint, step, strict=False)]
    goal = tuple(map(_clip, asked, limits.low, limits.high))
    sent = tuple(step)
    outside = False
    if goal != tuple(asked):
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
