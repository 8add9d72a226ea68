"""Brings an arm into operation: `enable`, or `resume` if it is PAUSED, then `home`. No ROS."""

from __future__ import annotations

from collections.abc import Callable

from dvrk_cable_env.arm.guards import Objection
from dvrk_cable_env.arm.limits import ArmState


class Enabling:
    """One attempt at a time to enable and home an arm.

    active: whether an attempt is under way.
    """

    def __init__(self, timeout: float, active: bool) -> None:
        """An attempt fails after `timeout` seconds of the clock that `step` is given."""
        self.active = active
        self._timeout = timeout
        self._since = 0  # ns; 0 before the first step
        self._sent: set[str] = set()

    def begin(self, now: int) -> None:
        """Start an attempt at time `now` (ns), also if one is under way."""
        self.active, self._since = True, now
        self._sent.clear()

    def clock_jumped_back(self, now: int) -> None:
        """Start the time-out again at time `now` (ns)."""
        self._since = min(self._since, now)

    def step(
        self,
        arm: ArmState,
        now: int,
        objection: Objection | None,
        command: Callable[[str], bool],
    ) -> str:
        """Send the arm its next command, if it is time for one.

        Homing moves the arm. With an objection, homing does not begin, or the attempt fails.

        Args:
            arm: the arm's present state.
            now: the present time (ns).
            objection: why a guard forbids a motion; None if no guard does.
            command: sends a CRTK state command; False if it could not be sent.

        Returns:
            Why the attempt failed; empty while it has not.
        """
        self._since = self._since or now
        if arm.state == "ENABLED" and arm.is_homed and not arm.is_busy:
            self.active = False
        elif objection and self._sent:
            return f"while enabling: {objection.reason}; remove the cause, then arm again"
        elif now - self._since > self._timeout * 1e9:
            state = arm.state or "silent"
            return (
                f"the arm is {state}, not enabled and homed within {self._timeout:g} s; "
                "arm again to retry"
            )
        elif arm.state and not arm.is_busy and not objection:
            wanted = {"ENABLED": "home", "PAUSED": "resume"}.get(arm.state, "enable")
            if wanted not in self._sent and command(wanted):
                self._sent.add(wanted)
        return ""
