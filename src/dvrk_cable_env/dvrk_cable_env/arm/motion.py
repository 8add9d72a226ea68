"""One commanded motion of the arm, and when it has ended. No ROS."""

from __future__ import annotations

import dataclasses
import math

from dvrk_cable_env.arm.limits import AXES, ArmState

BUSY_GRACE = 500_000_000
"""Nanoseconds within which a robot reports that a motion is under way. A motion to the present
position may never be reported, so after this time nobody waits for the report."""


@dataclasses.dataclass
class Motion:
    """A motion that was commanded at `start`, ns, to `goal`, tip (x, y), m."""

    goal: tuple[float, ...]
    start: int
    was_busy: bool = False

    def ended(self, arm: ArmState, now: int, tolerance: float) -> bool:
        """Return whether the arm has arrived at time `now` (ns), to `tolerance` (m).

        The arm must have reported that it was busy, or must have had the time to.
        """
        self.was_busy |= arm.is_busy
        return (
            not arm.is_busy
            and arm.stamp > self.start
            and (self.was_busy or now - self.start > BUSY_GRACE)
            and all(
                math.dist(self.goal, pose[:AXES]) <= tolerance
                for pose in (arm.setpoint, arm.measured)
            )
        )
