"""Drives one arm through planned steps, one motion at a time. Pure: no ROS.

`ArmController` owns the invariants. It is polled: `update` after each piece of news from the arm
and periodically.
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

NOT_ARMED = "not armed: an operator calls ~/arm"
INACTIVE = "the node is not active: activate it, then arm"
DEACTIVATED = "deactivated; an operator calls ~/arm"
BUSY_GRACE = 500_000_000
"""Nanoseconds in which a move must report busy; one to where the arm is already may never do."""


@dataclasses.dataclass
class _Motion:
    goal: tuple[float, ...]  # tip (x, y), m
    start: int  # ns
    was_busy: bool = False


class ArmController:
    """Executes plans that pass the filter and watches each motion to its end.

    It begins disarmed, unless it enables the arm itself. A fault is latched: a motion that timed
    out, an arm that left ENABLED or fell silent, a guard that objects, a stop. Only `rearm`, an
    operator's decision, clears it. While it is not active it sends nothing but a stop's hold.
    """

    def __init__(self, arm: Arm, config: ArmConfig, guards: Sequence[Guard] = ()) -> None:
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
        """Take note of the arm's state at `now` (ns)."""
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
            self._last_start = now  # of a motion that somebody else commanded
        elif self._was_busy and not arm.is_busy:
            self._last_end = now
        self._was_busy = arm.is_busy
        if self._was_ready and not self._motion and not self._fault:
            self._watch_at_rest(arm)
        if not self._was_ready and not self._not_ready(arm):
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
        """Decide on one plan and, where it passes, start its motion; returns what was sent.

        What does not pass holds the arm. A plan that arrives while a motion is under way does
        not: that motion passed every check, or is the operator's, or is the homing, and to
        break it off would not be safer. Nor does it where somebody else has the arm.
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
        """Hold and refuse every plan until `rearm`."""
        self._fail(reason)

    def pause(self, reason: str) -> None:
        """Refuse every plan until `rearm`; a motion under way comes to its end."""
        self._fault = self._fault or reason

    def activate(self) -> None:
        """Work again; an arm that was deactivated stays held until `rearm`."""
        self._active = True

    def deactivate(self) -> None:
        """Hold and send nothing more until `activate`."""
        if self._active:
            self.leave()
        self._active = self._was_ready = self._enabling.active = False
        self._motion, self._last_end = None, max(self._last_end, self._now)
        self._fault = DEACTIVATED

    def reset(self) -> str:
        """Forget a fault and all times, and stay disarmed; returns why not."""
        if self._motion or self._arm.state().is_busy:
            return "the arm is moving; stop it first"
        self._fault, self._enabling.active = NOT_ARMED, False
        self._was_ready = False
        self._last_end = max(self._last_end, self._now)
        self._last_command = 0
        return ""

    def home(self) -> str:
        """Enable and home the arm, which stays disarmed; returns why not."""
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
        """Clear a latched fault; returns why the arm could not be armed, which stays latched then.

        Of an arm with `auto_enable` that is not enabled and homed, the start begins anew.
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
        """Hold for the last time; not what somebody else moves."""
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
            return reason  # also of an arm that is not armed: it is what to cure before
        objection = self._objection()
        if objection:
            return objection.reason
        return self._fault or ("the arm is being enabled" if self._enabling.active else "")

    def _objection(self) -> Objection | None:
        """The gravest of the guards' objections: one that forbids to touch the arm comes first."""
        found = [objection for guard in self._guards if (objection := guard.objection())]
        return max(found, key=lambda one: (one.foreign, one.latches), default=None)

    def _move(self, decision: Decision, arm: ArmState) -> Decision:
        sent = self._arm.move(decision.goal)
        if not sent:
            return Decision("refused", "the arm took no command")
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

    def _watch_at_rest(self, arm: ArmState) -> None:
        """What an arm that was ready must not recover from by itself."""
        limits, objection = self._config.limits, self._objection()
        if not (arm.state == "ENABLED" and arm.is_homed):
            self._fail(f"{self._not_ready(arm)}; enable and home it, then arm again")
        elif objection and objection.latches:
            reason = f"{objection.reason}; arm again when it is cured"
            if objection.foreign:
                self._fault = reason  # without a hold: the motion may be somebody else's
            else:
                self._fail(reason)
        elif limits.latch_timeouts and (late := timed_out(limits, arm, self._now)):
            self._fail(f"{late}; arm again when it is cured")

    def _is_at(self, goal: tuple[float, ...], arm: ArmState) -> bool:
        poses = (arm.setpoint, arm.measured)
        return all(math.dist(goal, pose[:AXES]) <= self._config.goal_tolerance for pose in poses)

    def _clock_jumped_back(self) -> None:
        """Times of the former clock mean nothing now; a motion cannot be timed any more."""
        self._last_end = self._last_start = self._now
        self._last_command = 0
        self._enabling.clock_jumped_back(self._now)
        if self._motion:
            self._fail("the clock jumped back during a motion; arm again")
