"""What may be sent to the arm: limits, and the filter every planned action passes.

Pure: no ROS, no clock of its own. Stamps are integers in nanoseconds of one clock, 0 means
invalid (as CRTK marks invalid data). Neither the paper nor the dVRK give a step size, a
workspace or a watchdog for this task; the defaults are this project's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ls3_common.parameters import parameter

AXES = 2
"""The learned action is (dx, dy); the height and orientation of the tool are kept."""
ROUNDING = 1e-6
"""Metres. Actions travel as float32; differences below a micrometre are no violation."""


@dataclasses.dataclass(frozen=True)
class ArmLimits:
    """Limits of one arm, in its base frame."""

    frame: str = parameter(
        "", description="frame the arm must report its pose in; empty: <arm>_base"
    )
    workspace_low: tuple[float, ...] = parameter(
        (-0.13, -0.13), description="lower corner (x, y) of the workspace box", unit="m"
    )
    workspace_high: tuple[float, ...] = parameter(
        (0.13, 0.13), description="upper corner (x, y) of the workspace box", unit="m"
    )
    workspace_margin: float = parameter(
        0.0, description="kept free inside the box on every side", unit="m", low=0.0, high=0.1
    )
    outside: str = parameter(
        "clamp",
        description="a goal outside the box is moved to its edge, or the action is rejected",
        choices=("clamp", "reject"),
    )
    max_step: float = parameter(
        0.015, description="largest displacement per axis and step", unit="m", low=1e-4, high=0.05
    )
    max_tracking_error: float = parameter(
        0.01,
        description="largest distance of measured from commanded tip when a motion starts; the "
        "robot itself cuts motor power at 0.05 m",
        unit="m",
        low=1e-4,
        high=0.05,
    )
    max_image_age: float = parameter(
        2.0,
        description="oldest camera frame a plan may rest on; includes the planning time",
        unit="s",
        low=0.01,
        high=3600.0,
    )
    max_state_age: float = parameter(
        0.25, description="oldest robot state acted upon", unit="s", low=0.01, high=60.0
    )
    max_silence: float = parameter(
        2.0,
        description="longest wall time without a robot pose; a stopped simulation stops its clock "
        "too, so that stamps alone would look fresh for ever",
        unit="s",
        low=0.1,
        high=60.0,
    )
    max_clock_skew: float = parameter(
        0.1,
        description="how far a stamp may lie in the future, for clocks of several computers",
        unit="s",
        low=0.0,
        high=10.0,
    )

    def __post_init__(self) -> None:
        for name in ("workspace_low", "workspace_high"):
            if len(getattr(self, name)) != AXES:
                raise ValueError(f"'{name}' needs {AXES} numbers (x, y)")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("the workspace is empty: low + margin must be below high - margin")

    @property
    def low(self) -> tuple[float, ...]:
        """Lower corner in force, margin included (m)."""
        return tuple(value + self.workspace_margin for value in self.workspace_low)

    @property
    def high(self) -> tuple[float, ...]:
        """Upper corner in force, margin included (m)."""
        return tuple(value - self.workspace_margin for value in self.workspace_high)


@dataclasses.dataclass(frozen=True)
class ArmState:
    """What is known of the arm. Positions are the tip's (x, y, z) in `frame` (m)."""

    state: str = ""  # CRTK: DISABLED, ENABLED, PAUSED, FAULT; empty while unknown
    is_homed: bool = False
    is_busy: bool = False
    stamp: int = 0  # of the older of the two poses (ns)
    frame: str = ""
    setpoint: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()
    silence: float = 0.0  # wall time since the last pose (s)


@dataclasses.dataclass(frozen=True)
class Request:
    """What the planner asks for."""

    action: Sequence[float]  # (dx, dy), m
    image_stamp: int  # of the frame it was planned from (ns)
    feasible: bool = True


@dataclasses.dataclass(frozen=True)
class Decision:
    """`outcome` is sent, clamped, held or refused; only the first two carry a goal."""

    outcome: str
    reason: str = ""
    displacement: tuple[float, ...] = (0.0,) * AXES  # actually sent (m)
    goal: tuple[float, ...] = ()  # tip (x, y), m

    @property
    def moves(self) -> bool:
        return bool(self.goal)


def decide(
    limits: ArmLimits, request: Request, arm: ArmState, *, now: int, motion_end: int
) -> Decision:
    """Pass, clamp or stop one requested action.

    The checks run in this order and the first that fails gives the reason: the plan itself
    (feasible, size, finite, step), its image (age, order), the arm (`not_ready`), the goal.
    Not trusting the planner, an infeasible plan holds the arm whatever action it carries.

    Args:
        now: the present (ns); 0 while no clock is known.
        motion_end: when the arm last came to rest (ns). An older image shows another scene.
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
    return _goal(limits, request.action, arm.setpoint)


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
    if arm.stamp <= 0:
        return "no valid robot pose (stamp 0)"
    if now - arm.stamp > limits.max_state_age * 1e9:
        return f"the robot state is older than {limits.max_state_age:g} s"
    if arm.silence > limits.max_silence:
        return f"no robot pose for {limits.max_silence:g} s"
    if arm.stamp - now > limits.max_clock_skew * 1e9:
        return f"the robot state is more than {limits.max_clock_skew:g} s in the future"
    poses = (arm.setpoint, arm.measured)
    if any(len(pose) != 3 or not all(map(math.isfinite, pose)) for pose in poses):
        return "the robot pose is not finite"
    if limits.frame and arm.frame != limits.frame:
        return f"the robot pose is in frame '{arm.frame}', the workspace in '{limits.frame}'"
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


def _goal(limits: ArmLimits, action: Sequence[float], setpoint: Sequence[float]) -> Decision:
    step = [_clip(float(value), -limits.max_step, limits.max_step) for value in action]
    asked = [position + value for position, value in zip(setpoint, step, strict=False)]
    goal = tuple(map(_clip, asked, limits.low, limits.high))
    if goal == tuple(asked):
        return Decision("sent", "", tuple(step), goal)
    sent = tuple(end - position for end, position in zip(goal, setpoint, strict=False))
    if max(map(abs, sent)) > limits.max_step + ROUNDING:
        return Decision("refused", "the arm is outside the workspace")
    if all(math.isclose(a, b, abs_tol=ROUNDING) for a, b in zip(sent, step, strict=True)):
        return Decision("sent", "", sent, goal)
    if limits.outside == "reject":
        return Decision("refused", "the goal is outside the workspace")
    return Decision("clamped", "the goal is outside the workspace", sent, goal)


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.3g} s"
