"""Where the base of an arm is, from the setpoint in two frames. No ROS."""

from __future__ import annotations

import math
from collections import deque

from dvrk_cable_env.arm.pose import Pose, base_of

SIMULTANEOUS = 2_000_000
"""Nanoseconds between the stamps of two poses of one instant; a robot stamps each topic itself."""
KEPT = 10
"""Number of poses of each topic among which those of one instant are found."""


class Base:
    """The base's pose in the frame of the setpoint.

    The two poses must be of one instant: otherwise a motion of the tip would look like one of the
    base.

    pose: the newest known, m; None if there is none. stamp: of the poses that show it (ns).
    """

    def __init__(self) -> None:
        self.pose: Pose | None = None
        self.stamp = 0
        self._setpoints: deque[tuple[int, Pose]] = deque(maxlen=KEPT)
        self._locals: deque[tuple[int, Pose]] = deque(maxlen=KEPT)

    def add_setpoint(self, stamp: int, pose: Pose) -> None:
        """Take a setpoint (m) and its stamp (ns)."""
        if _append(self._setpoints, stamp, pose):
            self._find()

    def add_local(self, stamp: int, pose: Pose) -> None:
        """Take a setpoint relative to the base (m) and its stamp (ns)."""
        if _append(self._locals, stamp, pose):
            self._find()

    def _find(self) -> None:
        for stamp, local in reversed(self._locals):
            if stamp == self.stamp:
                return
            for other, setpoint in reversed(self._setpoints):
                if abs(other - stamp) <= SIMULTANEOUS:
                    self.pose, self.stamp = base_of(setpoint, local), stamp
                    return


def _append(poses: deque[tuple[int, Pose]], stamp: int, pose: Pose) -> bool:
    """Keep a finite pose, and of several with one stamp the first: a clock may stand still."""
    last = poses[-1][0] if poses else 0
    if stamp <= 0 or stamp == last or not all(map(math.isfinite, pose.position)):
        return False
    if stamp < last:  # the clock was set back
        poses.clear()
    poses.append((stamp, pose))
    return True
