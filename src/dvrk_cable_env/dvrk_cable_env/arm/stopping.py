"""Stops the arm, looks at its setpoint whether it obeys, and tries a stop without `hold`.

No ROS. Stamps are nanoseconds of the node's clock, lengths metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dvrk_cable_env.arm.arm import Arm
from dvrk_cable_env.arm.guards import HoldHeard
from dvrk_cable_env.arm.limits import AXES, ArmState

STILL, STILL_FOR = 1e-4, 60_000_000
"""The arm is at rest if its setpoint stays within this distance for this time (m, ns)."""
PATIENCE = 500_000_000
"""Time within which an arm that obeys a stop is seen at rest (ns)."""
FAR = 0.005
"""An arm that goes on by more than this did not obey a stop at once, m: CRTK `hold` acts within
some tens of milliseconds, in which a step of a centimetre goes on by 1 to 3 mm."""
AT_GOAL = 2e-4
"""An arm this near to the goal of its step has finished the step, m."""
TRIAL_PATIENCE = 2_000_000_000
"""Time within which an arm answers each command of a trial (ns)."""
AT_REST = "at rest after"
"""Words of a report about an arm that obeyed the stop; the distance that it went on follows."""
TRYING = "the stop without hold is being tried"
UNSEEN = "NOT CONFIRMED: too few valid poses of the arm since the stop"
EMERGENCY = "use the robot's emergency stop"


class StopWatch:
    """Follows one stop until the setpoint shows what came of the stop.

    settled: whether the arm was seen at rest, or too much time has passed. obeyed: whether the arm
    was seen at rest where it was, or soon after the stop and near to where it was. distance: how
    far the setpoint has gone on, m.
    """

    def __init__(self, now: int, arm: ArmState, goal: tuple[float, ...] = ()) -> None:
        """Follow a stop that is sent at time `now`.

        Args:
            now: the present time (ns).
            arm: the arm's state when the stop is sent.
            goal: tip (x, y), m, to which the arm is under way; empty if unknown.
        """
        self.settled = self.obeyed = self._late = self._finished = False
        self._sent, self._goal = now, goal
        self._moving = arm.is_busy or bool(goal)
        self._from = self._still = arm.setpoint
        self._left = math.dist(goal, arm.setpoint[:AXES]) if goal and arm.setpoint else 0.0
        self._since = 0  # stamp of the first pose near `_still`, ns
        self._goes_on = False  # whether two poses since the stop differ
        self._at_rest = False
        self.distance = 0.0

    def update(self, now: int, arm: ArmState) -> None:
        """Take the arm's state at time `now` (ns)."""
        known = len(arm.setpoint) == 3 and all(map(math.isfinite, arm.setpoint))
        if not self._at_rest and known and arm.stamp > self._sent:
            if not self._from:
                self._from = arm.setpoint
            self.distance = math.dist(arm.setpoint, self._from)
            if not self._since or math.dist(arm.setpoint, self._still) > STILL:
                self._goes_on = bool(self._since)
                self._still, self._since = arm.setpoint, arm.stamp
            elif arm.stamp - self._since >= STILL_FOR:
                self._rest(arm)
        # a clock that jumped back gives no more time
        if not self.settled and abs(now - self._sent) > PATIENCE:
            self.settled = self._late = True

    def _rest(self, arm: ArmState) -> None:
        self._at_rest = self.settled = True
        self._finished = (
            self._left > STILL + AT_GOAL and math.dist(self._goal, arm.setpoint[:AXES]) <= AT_GOAL
        )
        # of an arm that has not gone on at all, only the poses came late
        in_time = self.distance <= STILL or (not self._late and self.distance <= FAR)
        self.obeyed = in_time and not self._finished

    @property
    def disobeyed(self) -> bool:
        """Whether the arm moves, or may move, although it should be at rest by now."""
        return self._late and not self._at_rest and (self._moving or self.distance > STILL)

    @property
    def report(self) -> str:
        """What is known of the stop, for people; empty if an arm at rest stayed at rest."""
        gone = f"{self.distance * 1e3:.1f} mm"
        if not self._at_rest:
            if not self.settled:
                return "the stop is not confirmed yet" if self._moving else ""
            if not self._goes_on:
                return f"{UNSEEN}; {EMERGENCY}" if self._moving else UNSEEN
            return f"NOT STOPPED: the arm still moves {PATIENCE / 1e9:g} s later; {EMERGENCY}"
        if self.obeyed:
            return f"{AT_REST} {gone}" if self._moving or self.distance > STILL else ""
        if self._finished:
            return f"NOT STOPPED: the arm went on by {gone} to the end of its step; {EMERGENCY}"
        return f"STOPPED LATE: the arm came to rest after {gone}; {EMERGENCY} next time"


class StopTrial:
    """Tries, on an arm at rest, the stop without `hold`: `servo_jp` to the setpoint, then `pause`.

    The arm must answer with PAUSED, stay where it is, and return to ENABLED after `resume`.

    active: whether a trial is under way. passed: whether the last trial succeeded.
    """

    def __init__(self) -> None:
        self.active = self.passed = False
        self._stage = ""
        self._since = 0
        self._from: tuple[float, ...] = ()

    def begin(self, now: int) -> None:
        """Start a trial at time `now` (ns). An arm that is PAUSED is resumed first."""
        self.active, self.passed = True, False
        self._enter("begin", now)

    def cancel(self) -> None:
        """End a trial, which has then not succeeded."""
        self.active = self.passed = False

    def step(
        self,
        arm: ArmState,
        now: int,
        freeze: Callable[[], bool],
        command: Callable[[str], bool],
    ) -> str:
        """Take the trial one step further.

        Args:
            arm: the arm's present state.
            now: the present time (ns).
            freeze: sends the stop without `hold`; False if it could not be sent.
            command: sends a CRTK state command; False if it could not be sent.

        Returns:
            Why the trial failed; empty while it has not.
        """
        if self._from and math.dist(arm.setpoint, self._from) > FAR:
            return self._fail("the arm moved while the stop was tried")
        if abs(now - self._since) > TRIAL_PATIENCE:
            state = arm.state or "silent"
            return self._fail(
                f"the arm is {state}, {TRIAL_PATIENCE / 1e9:g} s after '{self._stage}'"
            )
        ready = arm.state == "ENABLED" and arm.is_homed and not arm.is_busy
        if self._stage == "begin" and arm.state == "PAUSED" and command("resume"):
            self._enter("first resume", now)
        elif self._stage in ("begin", "first resume") and ready and arm.setpoint and freeze():
            self._from = arm.setpoint
            self._enter("pause", now)
        elif self._stage == "pause" and arm.state == "PAUSED" and command("resume"):
            self._enter("resume", now)
        elif self._stage == "resume" and ready:
            self.active, self.passed = False, True
        return ""

    def _enter(self, stage: str, now: int) -> None:
        self._stage, self._since = stage, now
        if stage == "begin":
            self._from = ()

    def _fail(self, reason: str) -> str:
        self.cancel()
        return f"the trial of the stop failed: {reason}; this arm cannot be stopped from here"


class Stopping:
    """Stops one arm, by `hold` or else by `freeze`, and knows what came of the newest stop."""

    def __init__(self, arm: Arm, hold: HoldHeard | None) -> None:
        """Stop `arm`; `hold` says whether the arm hears CRTK `hold`, None that it does."""
        self._arm, self._hold = arm, hold
        self._watch: StopWatch | None = None
        self._trial = StopTrial()
        self._repeated = self._frozen = False

    @property
    def settled(self) -> bool:
        """Whether it is known, or can no longer be known soon, what came of the newest stop."""
        return self._watch is None or self._watch.settled

    @property
    def obeyed(self) -> bool:
        """Whether the arm was seen to obey the newest stop."""
        return self._watch is not None and self._watch.obeyed

    @property
    def report(self) -> str:
        """What is known of the newest stop, for people; empty if there is nothing to say."""
        return "" if self._watch is None else self._watch.report

    @property
    def trying(self) -> bool:
        """Whether the stop without `hold` is being tried."""
        return self._trial.active

    @property
    def untried(self) -> str:
        """Why the arm may not move before `try_out` has succeeded; empty if it may."""
        if self._trial.active:
            return TRYING
        if self._by_hold or self._trial.passed:
            return ""
        return "the arm does not hear hold, and its other stop has not been tried: call ~/arm"

    def can_resume(self, arm: ArmState) -> bool:
        """Return whether the arm is PAUSED because this object has stopped it."""
        return self._frozen and arm.state == "PAUSED"

    def stop(self, now: int, goal: tuple[float, ...] = ()) -> None:
        """Stop the arm at time `now` (ns); `goal`: tip (x, y), m, to which it is under way."""
        arm = self._arm.state()
        self._trial.cancel()
        if self._watch is None or self._watch.settled:  # else: pressed twice, and still moving
            self._watch, self._repeated = StopWatch(now, arm, goal), False
        self._arm.hold()
        if not self._by_hold:
            self._freeze(arm)

    def forget(self, *, pause: bool) -> None:
        """Forget what came of the newest stop, and, if `pause`, that it has paused the arm."""
        self._watch = None
        self._frozen = self._frozen and not pause

    def try_out(self, now: int) -> None:
        """Begin to try the stop without `hold` at time `now` (ns)."""
        self._trial.begin(now)

    def update(self, now: int, arm: ArmState) -> str:
        """Take the arm's state at time `now` (ns).

        An arm that did not obey is stopped once more, also by `freeze` if that is allowed.

        Returns:
            Why the trial failed; empty while it has not.
        """
        if self._watch is not None:
            self._watch.update(now, arm)
            if self._watch.disobeyed and not self._repeated:
                self._repeated = True
                self._arm.hold()
                self._freeze(arm)
        if not self._trial.active:
            return ""
        return self._trial.step(arm, now, self._arm.freeze, self._arm.command)

    @property
    def _by_hold(self) -> bool:
        return self._hold is None or self._hold.heard or self._hold.required

    def _freeze(self, arm: ArmState) -> None:
        if self._hold is not None and not self._hold.required:
            self._frozen |= arm.state == "ENABLED"  # else: somebody else has paused the arm
            self._arm.freeze()
