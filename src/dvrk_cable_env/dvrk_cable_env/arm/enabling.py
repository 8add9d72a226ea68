"""How an arm is brought to work: enable, then home, each told once. Pure: no ROS."""

from __future__ import annotations

from collections.abc import Callable

from dvrk_cable_env.arm.guards import Objection
from dvrk_cable_env.arm.limits import ArmState


class Enabling:
    """One try at a time, with a time-out of `timeout` seconds of the clock that `step` is given."""

    def __init__(self, timeout: float, active: bool) -> None:
        self.active = active
        self._timeout = timeout
        self._since = 0  # ns; 0 before the first step
        self._told: set[str] = set()

    def begin(self, now: int) -> None:
        """Try, or try again, from `now` (ns)."""
        self.active, self._since = True, now
        self._told.clear()

    def clock_jumped_back(self, now: int) -> None:
        """The time-out begins anew, at `now` (ns)."""
        self._since = min(self._since, now)

    def step(
        self,
        arm: ArmState,
        now: int,
        objection: Objection | None,
        command: Callable[[str], bool],
    ) -> str:
        """Tell the arm what comes next; returns why the try has failed, empty while it has not.

        Homing moves the arm: with an objection it does not begin, or has failed.
        """
        self._since = self._since or now
        if arm.state == "ENABLED" and arm.is_homed and not arm.is_busy:
            self.active = False
        elif objection and self._told:
            return f"while it was enabled: {objection.reason}; arm again when it is cured"
        elif now - self._since > self._timeout * 1e9:
            state = arm.state or "silent"
            return (
                f"the arm is {state}, not enabled and homed within {self._timeout:g} s; "
                "arm again to retry"
            )
        elif arm.state and not arm.is_busy and not objection:
            wanted = "home" if arm.state == "ENABLED" else "enable"
            if wanted not in self._told and command(wanted):
                self._told.add(wanted)
        return ""
