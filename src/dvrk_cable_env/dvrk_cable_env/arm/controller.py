"""Takes one arm through planned steps, one motion at a time. No ROS.

`ArmController` keeps the rules of motion. It has no thread of its own: the caller calls `update`
after every message from the arm and periodically.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dvrk_cable_env.arm.arm import Arm, ArmConfig, Status
from dvrk_cable_env.arm.enabling import Enabling
from dvrk_cable_env.arm.guards import Guard, HoldHeard
from dvrk_cable_env.arm.limits import ArmState, Decision, Request
from dvrk_cable_env.arm.motion import Motion
from dvrk_cable_env.arm.safety import decide
from dvrk_cable_env.arm.stopping import TRYING, Stopping
from dvrk_cable_env.arm.supervision import CURE, Supervision

NOT_ARMED = "not armed: call ~/arm"
INACTIVE = "the node is not active: activate the node, then call ~/arm"
LEAVING = "arm_node is ending"
DEACTIVATED = "deactivated: call ~/arm"


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
        self._arm, self._config = arm, config
        self._now = 0
        self._motion: Motion | None = None
        self._last_command = 0
        self._last_start = 0
        self._last_end = 0
        self._was_busy = False
        self._was_ready = False
        self._active = config.autostart
        self._fault = "" if config.auto_enable else NOT_ARMED
        self._held = ""  # why the last plan held the arm
        self._enabling = Enabling(config.enable_timeout, active=config.auto_enable)
        self._supervision = Supervision(config.limits, guards)
        hold = next((guard for guard in guards if isinstance(guard, HoldHeard)), None)
        self.stopping = Stopping(arm, hold)

    def update(self, now: int) -> Status:
        """Process the arm's newest state at time `now` (ns), and return the controller's status."""
        arm = self._state()
        before, self._now = self._now, now
        if now < before - self._config.limits.max_clock_skew * 1e9:
            self._clock_jumped_back()
        if self._active and self._enabling.active and now > 0:
            objection = self._supervision.objection(homing=True)
            if failed := self._enabling.step(arm, now, objection, self._arm.command):
                self._fail(failed)
        if failed := self.stopping.update(now, arm):
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
        if self._was_ready and not self._fault:
            self._supervision.baseline.keep(arm)
        return self.status()

    def status(self) -> Status:
        """Return what MOTION_STATE reports now."""
        arm = self._state()
        reason = self._not_ready(arm)
        if self._fault or not self._active:
            reason = "; ".join(filter(None, (reason, self.stopping.report)))
        moving = self._motion is not None or arm.is_busy
        stamp = self._last_start if moving else self._last_end
        return Status(moving, not reason, reason or self._held, stamp)

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
        self._held = ""
        if not self._active:
            return Decision("refused", INACTIVE)
        if self._motion:
            return Decision("refused", "the arm is moving")
        arm, objection = self._state(), self._supervision.objection()
        refused = self._fault or ("the arm is being enabled" if self._enabling.active else "")
        refused = refused or (objection.reason if objection else "") or self.stopping.untried
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
        if decision.moves and (stray := self._supervision.stray(arm)):
            decision = Decision("refused", stray)
        if decision.moves:
            decision = self._move(decision, arm)
        elif decision.outcome == "held":
            self._held = decision.reason
        if not decision.moves and not arm.is_busy and not (objection and objection.foreign):
            self._arm.hold()
        return decision

    def stop(self, reason: str) -> None:
        """Hold the arm now, and refuse every plan for this `reason` until `rearm`."""
        self._fail(reason)

    def complain(self, level: str, text: str) -> None:
        """Take an ``error`` or ``warning`` of the arm: a motion that it complains about has ended.

        An arm that rejects a motion says so and does nothing more. Homing ends with an error only.
        """
        if self._motion:
            self._fail(f"during a motion the arm reports the {level} '{text}'; {CURE}")
        elif self._enabling.active and level == "error":
            self._fail(f"while enabling the arm reports the error '{text}'; {CURE}")

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
        if self._motion or self._state().is_busy:
            return "the arm is moving; stop it first"
        self._fault, self._enabling.active = NOT_ARMED, False
        self._was_ready = False
        self._supervision.baseline.forget()
        self._last_end = max(self._last_end, self._now)
        self._last_command = 0
        self.stopping.forget(pause=False)
        return ""

    def home(self) -> str:
        """Begin to enable and home the arm, which then moves and stays disarmed.

        Returns:
            Why homing was refused; empty if it was not.
        """
        arm, objection = self._state(), self._supervision.objection(homing=True)
        if not self._active:
            return INACTIVE
        if self._motion or arm.is_busy:
            return "the arm is moving; stop it first"
        if not arm.state:
            return "no operating state yet"
        if objection:
            return objection.reason
        self._fault = NOT_ARMED
        self._supervision.baseline.forget()
        self.stopping.forget(pause=True)
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
        arm, objection = self._state(), self._supervision.objection()
        paused = self.stopping.can_resume(arm)  # by our own stop; the trial resumes it
        reason = "" if paused else self._supervision.unarmable(arm, self._now)
        if self._config.auto_enable and not (arm.state == "ENABLED" and arm.is_homed):
            self._enabling.begin(self._now)
        elif reason or (objection and objection.latches):
            return reason or (objection.reason if objection else "")
        elif moved := self._supervision.baseline.unseen_move(arm):
            return moved
        self._fault = self._held = ""
        self._was_ready = False
        self._last_end = max(self._last_end, self._now)
        self._supervision.baseline.forget()
        if not reason:
            self._supervision.baseline.keep(arm)
        self.stopping.forget(pause=True)
        if self.stopping.untried or paused:
            self.stopping.try_out(self._now)
        return reason

    def leave(self) -> None:
        """Stop the arm before the process ends, unless somebody else commands the arm."""
        objection = self._supervision.objection()
        if self._motion or not (objection and objection.foreign):
            self._fail(LEAVING)

    def _not_ready(self, arm: ArmState) -> str:
        if not self._active:
            return INACTIVE
        if self._fault and self._fault != NOT_ARMED:
            return self._fault
        if self.stopping.trying:
            return TRYING
        reason = self._supervision.unready(arm, self._now)
        if reason:
            return reason  # before "not armed": the operator must cure this first
        objection = self._supervision.objection()
        if objection:
            return objection.reason
        enabling = "the arm is being enabled" if self._enabling.active else ""
        return self._fault or enabling or self.stopping.untried

    def _state(self) -> ArmState:
        return self._supervision.known(self._arm.state())

    def _move(self, decision: Decision, arm: ArmState) -> Decision:
        sent = self._arm.move(self._supervision.baseline.goal(decision.goal, arm))
        if not sent:
            return Decision("refused", "the arm could not take the command: no setpoint yet")
        self._motion = Motion(sent, self._now)
        self._last_start = self._last_command = self._now
        if sent == decision.goal:
            return decision
        moved = tuple(end - begin for end, begin in zip(sent, arm.setpoint, strict=False))
        return dataclasses.replace(decision, goal=sent, displacement=moved)

    def _fail(self, reason: str) -> None:
        self.stopping.stop(self._now, self._motion.goal if self._motion else ())
        self._motion, self._last_end = None, self._now
        self._fault, self._enabling.active = reason, False

    def _watch(self, motion: Motion, arm: ArmState) -> None:
        lost = self._supervision.in_motion(arm, self._now)
        ended = motion.ended(arm, self._now, self._config.goal_tolerance)
        if lost:
            self._fail(f"during a motion: {lost}; {CURE}")
        elif self._now - motion.start > self._config.motion_timeout * 1e9:
            self._fail(
                f"a motion did not end within {self._config.motion_timeout:g} s; "
                "arm again when the arm is free"
            )
        elif ended:
            self._motion = None
            # the pose that shows the end may carry a newer stamp than the simulated clock
            self._last_end = max(self._now, arm.stamp)

    def _watch_at_rest(self, arm: ArmState) -> None:
        found = self._supervision.at_rest(arm, self._now)
        if found and found.foreign:
            self._fault = found.reason  # no hold: somebody else may be moving the arm
        elif found:
            self._fail(found.reason)

    def _clock_jumped_back(self) -> None:
        """Drop all times, which belong to the old clock. A motion can no longer be timed."""
        self._last_end = self._last_start = self._now
        self._last_command = 0
        self._enabling.clock_jumped_back(self._now)
        if self._motion:
            self._fail("the clock jumped back during a motion; arm again")
