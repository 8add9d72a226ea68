"""Takes one arm through planned steps, one motion at a time. No ROS.

`ArmController` keeps the rules of motion. It has no thread of its own: the caller calls `update`
after every message from the arm and periodically.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from dvrk_cable_env.arm.arm import Arm, ArmConfig, Status
from dvrk_cable_env.arm.enabling import Enabling
from dvrk_cable_env.arm.guards import Guard, Objection
from dvrk_cable_env.arm.limits import AXES, ArmState, Decision, Request
from dvrk_cable_env.arm.safety import decide, not_ready, timed_out

NOT_ARMED = "not armed: call ~/arm"
INACTIVE = "the node is not active: activate the node, then call ~/arm"
DEACTIVATED = "deactivated: call ~/arm"
BUSY_GRACE = 500_000_000
"""Nanoseconds within which a robot reports that a motion is under way. A motion to the present
position may never be reported, so after this time the controller no longer waits for the report."""


@dataclasses.dataclass
class _Motion:
    goal: tuple[float, ...]  # tip (x, y), m
    start: int  # ns
    was_busy: bool = False


class ArmController:
    """Executes the plans that pass the filter and watches each motion to its end.

    The controller begins disarmed, unless `auto_enable` is set. These faults are latched: a motion
    that took too long, an arm that left ENABLED or fell silent, an objection of a guard, a stop.
    Only `rearm`, an operator's decision, clears a latched fault. An inactive controller sends
    nothing to the arm except the hold of a `stop`.

    All times are integers in nanoseconds of the node's clock, all lengths metres.
    """

    def __init__(self, arm: Arm, config: ArmConfig, guards: Sequence[Guard] = ()) -> None:
        """Control `arm`; a plan is executed only if no guard of `guards` objects."""
        self._arm, self._config, self._guards = arm, config, guards
        self._now = 0
        self._motion: _Motion | None = None
        self._last_command = 0
        self._last_start = 0
        self._last_end = 0
        self._was_busy = False
        self._was_ready = False
        self._active = config.autostart
        self._fault = "" if config.auto_enable else NOT_ARMED
        self._enabling = Enabling(config.enable_timeout, active=config.auto_enable)

    def update(self, now: int) -> Status:
        """Process the arm's newest state at time `now` (ns), and return the controller's status."""
        arm = self._arm.state()
        before, self._now = self._now, now
        if now < before - self._config.limits.max_clock_skew * 1e9:
            self._clock_jumped_back()
        if self._active and self._enabling.active and now > 0:
            failed = self._enabling.step(arm, now, self._objection(), self._arm.command)
            if failed:
                self._fail(failed)
        if self._motion:
            self._watch(self._motion, arm)
        elif arm.is_busy and not self._was_busy:
            self._last_start = now  # another node commanded this motion
        elif self._was_busy and not arm.is_busy:
            self._last_end = now
        self._was_busy = arm.is_busy
        if self._was_ready and not self._motion and not self._fault:
            self._watch_at_rest(arm)
        if not self._was_ready and not self._not_ready(arm):
            self._was_ready = True
            self._last_end = now  # older frames may show the scene before homing
        return self.status()

    def status(self) -> Status:
        """Return what MOTION_STATE reports now."""
        arm = self._arm.state()
        reason = self._not_ready(arm)
        moving = self._motion is not None or arm.is_busy
        stamp = self._last_start if moving else self._last_end
        return Status(moving, not reason, reason, stamp)

    def execute(self, request: Request, now: int) -> Decision:
        """Decide on one plan, and start the motion if the plan passes the filter.

        If the plan does not pass, the arm holds, with two exceptions. A motion that is under way
        goes on: it passed every check, or is the homing or the operator's own, and breaking it
        off would not be safer. An arm that somebody else commands is left alone.

        Args:
            request: the planned action and the stamp of its camera frame.
            now: the present time (ns).

        Returns:
            The decision, with the displacement that was sent (m).
        """
        self.update(now)
        if not self._active:
            return Decision("refused", INACTIVE)
        if self._motion:
            return Decision("refused", "the arm is moving")
        arm, objection = self._arm.state(), self._objection()
        refused = self._fault or ("the arm is being enabled" if self._enabling.active else "")
        refused = refused or (objection.reason if objection else "")
        if refused and request.feasible:
            decision = Decision("refused", refused)
        else:
            decision = decide(
                self._config.limits,
                request,
                arm,
                now=now,
                motion_end=self._last_end,
                last_command=self._last_command,
            )
        if decision.moves:
            decision = self._move(decision, arm)
        if not decision.moves and not arm.is_busy and not (objection and objection.foreign):
            self._arm.hold()
        return decision

    def stop(self, reason: str) -> None:
        """Hold the arm now, and refuse every plan for this `reason` until `rearm`."""
        self._fail(reason)

    def pause(self, reason: str) -> None:
        """Refuse every plan for this `reason` until `rearm`. The present motion ends normally."""
        self._fault = self._fault or reason

    def activate(self) -> None:
        """Become active. An arm that was deactivated stays held until `rearm`."""
        self._active = True

    def deactivate(self) -> None:
        """Hold the arm, and send nothing more until `activate`."""
        if self._active:
            self.leave()
        self._active = self._was_ready = self._enabling.active = False
        self._motion, self._last_end = None, max(self._last_end, self._now)
        self._fault = DEACTIVATED

    def reset(self) -> str:
        """Clear a fault and all times; the arm stays disarmed.

        Returns:
            Why the reset was refused; empty if it was not.
        """
        if self._motion or self._arm.state().is_busy:
            return "the arm is moving; stop it first"
        self._fault, self._enabling.active = NOT_ARMED, False
        self._was_ready = False
        self._last_end = max(self._last_end, self._now)
        self._last_command = 0
        return ""

    def home(self) -> str:
        """Begin to enable and home the arm, which then moves and stays disarmed.

        Returns:
            Why homing was refused; empty if it was not.
        """
        arm, objection = self._arm.state(), self._objection()
        if not self._active:
            return INACTIVE
        if self._motion or arm.is_busy:
            return "the arm is moving; stop it first"
        if not arm.state:
            return "no operating state yet"
        if objection:
            return objection.reason
        self._fault = NOT_ARMED
        self._enabling.begin(self._now)
        return ""

    def rearm(self) -> str:
        """Clear a latched fault, so that plans are accepted again.

        With `auto_enable`, an arm that is not enabled and homed is enabled and homed again.

        Returns:
            Why the arm could not be armed, in which case the fault stays latched; or empty.
        """
        if not self._active:
            return INACTIVE
        arm, objection = self._arm.state(), self._objection()
        reason = not_ready(self._config.limits, arm, self._now)
        if self._config.auto_enable and not (arm.state == "ENABLED" and arm.is_homed):
            self._enabling.begin(self._now)
        elif reason or (objection and objection.latches):
            return reason or (objection.reason if objection else "")
        self._fault = ""
        self._was_ready = False
        self._last_end = max(self._last_end, self._now)
        return reason

    def leave(self) -> None:
        """Send the last hold before the process ends, unless somebody else commands the arm."""
        objection = self._objection()
        if self._motion or not (objection and objection.foreign):
            self._arm.hold()

    def _not_ready(self, arm: ArmState) -> str:
        if not self._active:
            return INACTIVE
        if self._fault and self._fault != NOT_ARMED:
            return self._fault
        reason = not_ready(self._config.limits, arm, self._now)
        if reason:
            return reason  # before "not armed": the operator must cure this first
        objection = self._objection()
        if objection:
            return objection.reason
        return self._fault or ("the arm is being enabled" if self._enabling.active else "")

    def _objection(self) -> Objection | None:
        """The most serious objection: first those under which the arm must not even be held."""
        found = [objection for guard in self._guards if (objection := guard.objection())]
        return max(found, key=lambda one: (one.foreign, one.latches), default=None)

    def _move(self, decision: Decision, arm: ArmState) -> Decision:
        sent = self._arm.move(decision.goal)
        if not sent:
            return Decision("refused", "the arm could not take the command: no setpoint yet")
        self._motion = _Motion(sent, self._now)
        self._last_start = self._last_command = self._now
        if sent == decision.goal:
            return decision
        moved = tuple(end - begin for end, begin in zip(sent, arm.setpoint, strict=False))
        return dataclasses.replace(decision, goal=sent, displacement=moved)

    def _fail(self, reason: str) -> None:
        self._arm.hold()
        self._motion, self._last_end = None, self._now
        self._fault, self._enabling.active = reason, False

    def _watch(self, motion: _Motion, arm: ArmState) -> None:
        objection = self._objection()
        lost = not_ready(self._config.limits, arm, self._now)
        lost = lost or (objection.reason if objection else "")
        motion.was_busy |= arm.is_busy
        if lost:
            self._fail(f"during a motion: {lost}; remove the cause, then arm again")
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
            # the pose that shows the end may carry a newer stamp than the simulated clock
            self._last_end = max(self._now, arm.stamp)

    def _watch_at_rest(self, arm: ArmState) -> None:
        """Latch what a ready arm at rest must not recover from by itself."""
        limits, objection = self._config.limits, self._objection()
        if not (arm.state == "ENABLED" and arm.is_homed):
            self._fail(f"{self._not_ready(arm)}; enable and home it, then arm again")
        elif objection and objection.latches:
            reason = f"{objection.reason}; remove the cause, then arm again"
            if objection.foreign:
                self._fault = reason  # no hold: somebody else may be moving the arm
            else:
                self._fail(reason)
        elif limits.latch_timeouts and (late := timed_out(limits, arm, self._now)):
            self._fail(f"{late}; remove the cause, then arm again")

    def _is_at(self, goal: tuple[float, ...], arm: ArmState) -> bool:
        poses = (arm.setpoint, arm.measured)
        return all(math.dist(goal, pose[:AXES]) <= self._config.goal_tolerance for pose in poses)

    def _clock_jumped_back(self) -> None:
        """Drop all times, which belong to the old clock. A motion can no longer be timed."""
        self._last_end = self._last_start = self._now
        self._last_command = 0
        self._enabling.clock_jumped_back(self._now)
        if self._motion:
            self._fail("the clock jumped back during a motion; arm again")
