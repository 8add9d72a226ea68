"""Judges whether an arm may be commanded, in motion and at rest. No ROS."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dvrk_cable_env.arm.baseline import Baseline
from dvrk_cable_env.arm.guards import Guard, Objection
from dvrk_cable_env.arm.limits import ArmLimits, ArmState
from dvrk_cable_env.arm.safety import not_ready, overloaded, timed_out, too_fast

CURE = "remove the cause, then arm again"


class Supervision:
    """Asks the limits, the guards, and what the arm was when the operator armed.

    baseline: the state of the arm when the operator armed.
    """

    def __init__(self, limits: ArmLimits, guards: Sequence[Guard]) -> None:
        self.baseline = Baseline(limits)
        self._limits, self._guards = limits, guards

    def known(self, arm: ArmState) -> ArmState:
        """Return an arm's state without what is outdated: nobody knows what a silent arm does."""
        silent = arm.silence > self._limits.max_silence
        return dataclasses.replace(arm, is_busy=False) if silent else arm

    def objection(self, *, homing: bool = False) -> Objection | None:
        """The most serious objection: first those under which the arm must not even be held.

        homing: leave out what ~/arm, which follows homing, removes by itself.
        """
        found = [objection for guard in self._guards if (objection := guard.objection())]
        if homing:
            found = [one for one in found if not one.ends_with_arming]
        return max(found, key=lambda one: (one.foreign, one.latches), default=None)

    def unarmable(self, arm: ArmState, now: int) -> str:
        """Return why the arm itself may not be armed at time `now` (ns); empty if it may."""
        return not_ready(self._limits, arm, now) or overloaded(self._limits, arm)

    def unready(self, arm: ArmState, now: int) -> str:
        """Return why the armed arm may not be commanded, guards apart; empty if it may."""
        return not_ready(self._limits, arm, now) or self.stray(arm)

    def stray(self, arm: ArmState) -> str:
        """Return why an arm whose poses are sound must be held; empty if it need not be."""
        return self.baseline.departure(arm) or overloaded(self._limits, arm)

    def in_motion(self, arm: ArmState, now: int) -> str:
        """Return why a motion must be ended; empty if it may go on."""
        objection = self.objection()
        return (
            not_ready(self._limits, arm, now)
            or (objection.reason if objection else "")
            or self.stray(arm)
            or too_fast(self._limits, arm)
        )

    def at_rest(self, arm: ArmState, now: int) -> Objection | None:
        """Return what a ready arm at rest must not recover from by itself; None if nothing.

        The reason also says what to do. What is foreign must not be held either.
        """
        limits, objection = self._limits, self.objection()
        if not (arm.state == "ENABLED" and arm.is_homed):
            return Objection(
                f"{not_ready(limits, arm, now)}; enable and home it, then arm again", latches=True
            )
        if objection and objection.latches:
            return Objection(f"{objection.reason}; {CURE}", True, objection.foreign)
        reason = timed_out(limits, arm, now) if limits.latch_timeouts else ""
        if not reason and not not_ready(limits, arm, now):
            reason = self.stray(arm)
        return Objection(f"{reason}; {CURE}", latches=True) if reason else None
