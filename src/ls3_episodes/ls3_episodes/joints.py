"""What may be sent to the joints of a domain without an arm of its own. Pure: no ROS.

The same rules as `arm_node`'s, for commands that last one control period: nothing is sent for a
stale image, a number that is not finite or out of range, or joints that nobody reports. Without a
plan the joints get zeros, which stops what takes efforts or velocities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ls3_common.parameters import parameter

ROUNDING = 1e-6
"""Relative; actions travel as float32."""


@dataclass(frozen=True, kw_only=True)
class JointLimits:
    """Limits of one set of joints."""

    low: tuple[float, ...] = parameter(description="least command of each joint")
    high: tuple[float, ...] = parameter(description="greatest command of each joint")
    period: float = parameter(
        description="how long a command acts, by the joints' own stamps", unit="s", low=1e-3
    )
    max_image_age: float = parameter(
        0.5,
        description="oldest image a plan may rest on, by the joints' stamps; includes planning",
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
    """What is done about one plan: `outcome` is sent, held or refused; refused sends nothing."""

    outcome: str
    reason: str = ""
    command: tuple[float, ...] = ()


class JointControl:
    """Decides on plans, one command at a time; stamps are integers (ns), `wall` seconds."""

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits
        self._stamp = 0  # of the newest joint states
        self._heard = -math.inf
        self.end = 0
        """When the last command has acted, by the joints' stamps (ns)."""

    @property
    def stop(self) -> tuple[float, ...]:
        """The command that stops every joint."""
        return (0.0,) * len(self._limits.low)

    @property
    def stamp(self) -> int:
        """Of the newest joint states (ns); 0 before the first."""
        return self._stamp

    @property
    def moving(self) -> bool:
        return self._stamp < self.end

    def receive(self, stamp: int, wall: float) -> None:
        """Joint states have come. A clock that goes back is a robot that began anew."""
        if stamp < self._stamp:
            self.end = 0
        self._stamp, self._heard = stamp, wall

    def not_ready(self, wall: float) -> str:
        """Why the joints may not be commanded; empty when they may."""
        if self._stamp <= 0:
            return "no joint states yet"
        if wall - self._heard > self._limits.max_silence:
            return f"no joint states for {self._limits.max_silence:g} s"
        return ""

    def execute(
        self, action: Sequence[float], image_stamp: int, *, feasible: bool, wall: float
    ) -> PlanOutcome:
        """Pass, hold or refuse a planned action.

        Not trusting the planner, an infeasible plan holds whatever action it carries.
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
        if not feasible:
            return PlanOutcome("held", "no feasible plan", self.stop)
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
        if stamp - self._stamp > limits.period * 1e9:  # of a former clock, perhaps
            return "image of the future"
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
