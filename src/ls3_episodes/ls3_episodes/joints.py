"""Decides what may be sent to the joints of a domain without a PSM. No ROS.

The rules are those of `arm_node`, for commands that last one control period. Nothing is sent for a
stale image, for a number that is not finite or out of range, or while no node reports the joints.
Without a feasible plan the joints get zeros, which stops joints that take efforts or velocities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ls3_common.parameters import parameter

ROUNDING = 1e-6
"""Relative tolerance of the limits, because actions travel as float32."""


@dataclass(frozen=True, kw_only=True)
class JointLimits:
    """Limits of a set of joints, in the unit of the controller (N m or rad/s); times in s."""

    low: tuple[float, ...] = parameter(
        description="smallest command of each joint", domain="action_low"
    )
    high: tuple[float, ...] = parameter(
        description="largest command of each joint", domain="action_high"
    )
    period: float = parameter(
        description="time for which a command acts, by the joints' stamps",
        unit="s",
        low=1e-3,
        domain="period",
    )
    max_image_age: float = parameter(
        0.5,
        description="largest age of the image that a plan rests on, planning time included",
        unit="s",
        low=0.01,
        high=60.0,
    )
    max_silence: float = parameter(
        5.0, description="longest wall time without joint states", unit="s", low=0.1, high=60.0
    )

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not self.low:
            raise ValueError(f"{len(self.low)} numbers in 'low', {len(self.high)} in 'high'")
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("'low' is above 'high'")


@dataclass(frozen=True)
class PlanOutcome:
    """What was decided about one plan.

    outcome: `sent`, `held` (no feasible plan) or `refused`. reason: why it was not sent.
    command: what to send, one number per joint; zeros if held, empty if refused.
    """

    outcome: str
    reason: str = ""
    command: tuple[float, ...] = ()


class JointControl:
    """Decides on plans, one command at a time.

    Stamps are integers in nanoseconds of the joints' clock; `wall` is wall time in seconds.

    end: stamp until which the last command acts, ns. held: why the last plan held the joints;
    empty if it did not.
    """

    def __init__(self, limits: JointLimits) -> None:
        """Decide by these limits."""
        self._limits = limits
        self._stamp = 0  # of the newest joint states
        self._received = -math.inf  # wall time
        self.end = 0
        self.held = ""

    @property
    def stop(self) -> tuple[float, ...]:
        """The command that stops every joint: zeros, one per joint."""
        return (0.0,) * len(self._limits.low)

    @property
    def stamp(self) -> int:
        """Stamp of the newest joint states, ns; 0 before the first."""
        return self._stamp

    @property
    def moving(self) -> bool:
        """Whether the last command still acts."""
        return self._stamp < self.end

    def receive(self, stamp: int, wall: float) -> None:
        """Take joint states with this stamp. If the clock jumped back, the robot has restarted."""
        if stamp < self._stamp:
            self.end = 0
        self._stamp, self._received = stamp, wall

    def not_ready(self, wall: float) -> str:
        """Return why the joints may not be commanded now; empty if they may."""
        if self._stamp <= 0:
            return "no joint states yet"
        if wall - self._received > self._limits.max_silence:
            return f"no joint states for {self._limits.max_silence:g} s"
        return ""

    def execute(
        self,
        action: Sequence[float],
        image_stamp: int,
        *,
        feasible: bool,
        wall: float,
        lacks: str = "",
    ) -> PlanOutcome:
        """Decide on a plan. An infeasible plan holds the joints whatever its action.

        Args:
            action: one number per joint, in the unit of the limits.
            image_stamp: of the frame that the plan rests on, ns.
            feasible: whether the plan meets the constraints.
            wall: the present wall time, s.
            lacks: why the plan is not feasible, in the planner's words.
        """
        reason = (
            self.not_ready(wall)
            or ("the joints are moving" if self.moving else "")
            or self._unfit_image(image_stamp)
            or ("" if not feasible else self._unfit(action))
        )
        if reason:
            return PlanOutcome("refused", reason)
        self.end = self._stamp + round(self._limits.period * 1e9)
        self.held = "" if feasible else lacks or "no feasible plan"
        if self.held:
            return PlanOutcome("held", self.held, self.stop)
        limits = zip(action, self._limits.low, self._limits.high, strict=True)
        return PlanOutcome(
            "sent", "", tuple(min(max(float(a), low), high) for a, low, high in limits)
        )

    def _unfit_image(self, stamp: int) -> str:
        limits = self._limits
        if stamp < self.end:
            return "image older than the last motion"
        if self._stamp - stamp > limits.max_image_age * 1e9:
            return f"image older than {limits.max_image_age:g} s"
        if stamp - self._stamp > limits.period * 1e9:  # perhaps the clock was reset meanwhile
            return "image from the future"
        return ""

    def _unfit(self, action: Sequence[float]) -> str:
        low, high = self._limits.low, self._limits.high
        if len(action) != len(low):
            return f"the action has {len(action)} numbers, not {len(low)}"
        if not all(map(math.isfinite, action)):
            return "the action is not finite"
        for value, least, greatest in zip(action, low, high, strict=True):
            slack = ROUNDING * max(abs(least), abs(greatest))
            if not least - slack <= value <= greatest + slack:
                return f"a command of {value:.4g}, allowed {least:g} to {greatest:g}"
        return ""
