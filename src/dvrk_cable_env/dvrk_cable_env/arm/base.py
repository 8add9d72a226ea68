"""Where the base of an arm is, from the setpoint in two frames. No ROS."""

from __future__ import annotations

import math
from collections import deque

from dvrk_cable_env.arm.pose import Pose, angle, base_of

SIMULTANEOUS = 2_000_000
"""Nanoseconds between the stamps of two poses of one instant; a robot stamps each topic itself."""
STILL_M, STILL_RAD = 1e-4, 1e-3
"""A setpoint that changes less stands still, and is the same at every instant in between."""
KEPT = 10
"""Number of poses of each topic among which those of one instant are found."""
Stamped = tuple[int, Pose]
"""A stamp (ns) and a pose."""


class Base:
    """The base's pose in the frame of the setpoint.

    The two poses must be of one instant, by their stamps or because the setpoint stands still:
    otherwise a motion of the tip would look like one of the base.

    pose: the newest known, m; None if there is none. stamp: of the newest setpoint relative to the
    base (ns), 0 while no pose is known.
    """

    def __init__(self) -> None:
        self.pose: Pose | None = None
        self._used = 0  # stamp of the local pose that showed the base
        self._setpoints: deque[Stamped] = deque(maxlen=KEPT)
        self._locals: deque[Stamped] = deque(maxlen=KEPT)

    @property
    def stamp(self) -> int:
        return self._locals[-1][0] if self.pose else 0

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
            if stamp == self._used:
                return
            setpoint = self._at(stamp)
            if setpoint is not None:
                self.pose, self._used = base_of(setpoint, local), stamp
                return

    def _at(self, stamp: int) -> Pose | None:
        """The setpoint at an instant (ns); None if it is unknown."""
        after: Stamped | None = None
        for before in reversed(self._setpoints):
            if abs(before[0] - stamp) <= SIMULTANEOUS:
                return before[1]
            if before[0] < stamp:
                return before[1] if after and _still(before[1], after[1]) else None
            after = before
        return None


def _still(one: Pose, other: Pose) -> bool:
    near = math.dist(one.position, other.position) <= STILL_M
    return near and angle(one.rotation, other.rotation) <= STILL_RAD


def _append(poses: deque[tuple[int, Pose]], stamp: int, pose: Pose) -> bool:
    """Keep a finite pose, and of several with one stamp the first: a clock may stand still."""
    last = poses[-1][0] if poses else 0
    if stamp <= 0 or stamp == last or not all(map(math.isfinite, pose.position)):
        return False
    if stamp < last:  # the clock was set back
        poses.clear()
    poses.append((stamp, pose))
    return True
