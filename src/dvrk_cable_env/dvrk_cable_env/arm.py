"""Drives one arm through planned steps, one motion at a time. Pure: no ROS.

`ArmController` owns the invariants; an `Arm` only says what it knows and does what it is told.
The controller is polled: `update` after each piece of news from the arm and periodically.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

from dvrk_cable_env.limits import AXES, ArmLimits, ArmState, Decision, Request, decide, not_ready
from ls3_common.parameters import parameter

BUSY_GRACE = 500_000_000
"""Nanoseconds in which a move must report busy; one to where the arm is already may never do."""


class Arm(Protocol):
    """What the controller needs of an arm."""

    def state(self) -> ArmState: ...

    def command(self, name: str) -> bool:
        """Send a CRTK state command (enable, home); False while nobody listens."""

    def move(self, goal: tuple[float, ...]) -> None:
        """Start a motion of the tip to (x, y), keeping its height and orientation."""

    def hold(self) -> None:
        """Stop where it is."""


@dataclasses.dataclass(frozen=True)
class ArmConfig:
    """Parameters of arm_node."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    auto_enable: bool = parameter(
        False,
        description="enable and home the arm at start; on a robot the operator does it, and the "
        "launch file sets it in simulation",
    )
    enable_timeout: float = parameter(
        30.0, description="longest wait for enabled and homed", unit="s", low=0.1, high=600.0
    )
    motion_timeout: float = parameter(
        5.0,
        description="a motion that has not ended by then is stopped and latches a fault",
        unit="s",
        low=0.1,
        high=60.0,
    )
    goal_tolerance: float = parameter(
        0.002,
        description="a motion has ended where setpoint and measured tip are this near its goal",
        unit="m",
        low=1e-5,
        high=0.05,
    )
    limits: ArmLimits = dataclasses.field(default_factory=ArmLimits)


@dataclasses.dataclass(frozen=True)
class Status:
    """What MOTION_STATE tells; `stamp` (ns) is when the motion began or the last one ended."""

    moving: bool
    ready: bool
    reason: str
    stamp: int


@dataclasses.dataclass
class _Motion:
    goal: tuple[float, ...]  # tip (x, y), m
    start: int  # ns
    was_busy: bool = False


class ArmController:
    """Executes plans that pass the filter and watches each motion to its end.

    A fault is latched: a motion that timed out, an arm that left ENABLED or fell silent while
    it moved, a stop. Only `rearm`, an operator's decision, clears it.
    """

    def __init__(self, arm: Arm, config: ArmConfig) -> None:
        self._arm, self._config = arm, config
        self._now = 0
        self._motion: _Motion | None = None
        self._last_start = 0
        self._last_end = 0
        self._was_busy = False
        self._was_ready = False
        self._fault = ""
        self._enabling = config.auto_enable
        self._enabling_since = 0
        self._commanded: set[str] = set()

    def update(self, now: int) -> Status:
        """Take note of the arm's state at `now` (ns)."""
        arm = self._arm.state()
        before, self._now = self._now, now
        if now < before - self._config.limits.max_clock_skew * 1e9:
            self._clock_jumped_back()
        if self._enabling and now > 0:
            self._enable(arm)
        if self._motion:
            self._watch(self._motion, arm)
        elif arm.is_busy and not self._was_busy:
            self._last_start = now  # of a motion that somebody else commanded
        elif self._was_busy and not arm.is_busy:
            self._last_end = now
        self._was_busy = arm.is_busy
        reason = self._not_ready(arm)
        lost = (
            not self._motion and self._was_ready and not (arm.state == "ENABLED" and arm.is_homed)
        )
        if lost and not self._fault:
            self._fail(f"{reason}; enable and home it, then arm again")
        if not reason and not self._was_ready:
            self._was_ready = True
            self._last_end = now  # what was seen before may be before it was homed
        return self.status()

    def status(self) -> Status:
        arm = self._arm.state()
        reason = self._not_ready(arm)
        moving = self._motion is not None or arm.is_busy
        stamp = self._last_start if moving else self._last_end
        return Status(moving, not reason, reason, stamp)

    def execute(self, request: Request, now: int) -> Decision:
        """Decide on one plan and, where it passes, start its motion.

        What does not pass holds the arm. A plan that arrives while a motion is under way does
        not: that motion passed every check, or is the operator's, or is the homing, and to
        break it off would not be safer.
        """
        self.update(now)
        if self._motion:
            return Decision("refused", "the arm is moving")
        latched = self._fault or ("the arm is being enabled" if self._enabling else "")
        if latched and request.feasible:
            decision = Decision("refused", latched)
        else:
            decision = decide(
                self._config.limits,
                request,
                self._arm.state(),
                now=now,
                motion_end=self._last_end,
            )
        if decision.moves:
            self._motion = _Motion(decision.goal, now)
            self._last_start = now
            self._arm.move(decision.goal)
        elif not self._arm.state().is_busy:
            self._arm.hold()
        return decision

    def stop(self, reason: str) -> None:
        """Hold and refuse every plan until `rearm`."""
        self._fail(reason)

    def rearm(self) -> str:
        """Clear a latched fault; returns what still keeps the arm from being ready."""
        arm = self._arm.state()
        self._fault = ""
        self._was_ready = False
        self._last_end = max(self._last_end, self._now)
        if self._config.auto_enable and not (arm.state == "ENABLED" and arm.is_homed):
            self._enabling, self._enabling_since = True, self._now
            self._commanded.clear()
        return self._not_ready(arm)

    def _not_ready(self, arm: ArmState) -> str:
        if self._fault:
            return self._fault
        reason = not_ready(self._config.limits, arm, self._now)
        return "the arm is being enabled" if self._enabling and not reason else reason

    def _fail(self, reason: str) -> None:
        self._arm.hold()
        self._motion, self._last_end = None, self._now
        self._fault, self._enabling = reason, False

    def _enable(self, arm: ArmState) -> None:
        """One step of the start: enable, then home, each told once."""
        self._enabling_since = self._enabling_since or self._now
        if arm.state == "ENABLED" and arm.is_homed and not arm.is_busy:
            self._enabling = False
        elif self._now - self._enabling_since > self._config.enable_timeout * 1e9:
            state = arm.state or "silent"
            self._fail(
                f"the arm is {state}, not enabled and homed within "
                f"{self._config.enable_timeout:g} s; arm again to retry"
            )
        elif arm.state and not arm.is_busy:
            wanted = "home" if arm.state == "ENABLED" else "enable"
            if wanted not in self._commanded and self._arm.command(wanted):
                self._commanded.add(wanted)

    def _watch(self, motion: _Motion, arm: ArmState) -> None:
        lost = not_ready(self._config.limits, arm, self._now)
        motion.was_busy |= arm.is_busy
        if lost:
            self._fail(f"during a motion: {lost}; arm again when it is cured")
        elif self._now - motion.start > self._config.motion_timeout * 1e9:
            self._fail(
                f"a motion did not end within {self._config.motion_timeout:g} s; "
                "arm again when the arm is free"
            )
        elif (
            not arm.is_busy
            and arm.stamp > motion.start
            and (motion.was_busy or self._now - motion.start > BUSY_GRACE)
            and self._is_at(motion.goal, arm)
        ):
            self._motion = None
            # the pose that shows the end may be newer than the last tick of a simulated clock
            self._last_end = max(self._now, arm.stamp)

    def _is_at(self, goal: tuple[float, ...], arm: ArmState) -> bool:
        poses = (arm.setpoint, arm.measured)
        return all(math.dist(goal, pose[:AXES]) <= self._config.goal_tolerance for pose in poses)

    def _clock_jumped_back(self) -> None:
        """Times of the former clock mean nothing now; a motion cannot be timed any more."""
        self._last_end = self._last_start = self._now
        self._enabling_since = min(self._enabling_since, self._now)
        if self._motion:
            self._fail("the clock jumped back during a motion; arm again")
