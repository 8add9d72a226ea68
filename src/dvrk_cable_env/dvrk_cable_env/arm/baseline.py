"""What must stay as it was when the operator armed: the tool's attitude and the arm's base. No ROS.

The learned action is (dx, dy) only. Height and orientation of the tool are therefore those of
``~/arm``, and every goal repeats them: if each goal took them from the last setpoint, the small
errors of the arm's inverse kinematics would add up.
"""

from __future__ import annotations

import math

from dvrk_cable_env.arm.limits import AXES, ArmLimits, ArmState
from dvrk_cable_env.arm.pose import Pose, angle


class Baseline:
    """The state of the arm when the operator armed, and how far the arm may depart from it.

    setpoint: commanded pose of the tool at that time, m; None if nothing is kept.
    """

    def __init__(self, limits: ArmLimits) -> None:
        self._limits = limits
        self._armed: Pose | None = None  # the base at the last ~/arm
        self._told = False  # that the base has moved since
        self.forget()

    def forget(self) -> None:
        """Keep nothing until the next `keep`, except where the base was at the last ~/arm."""
        self.setpoint: Pose | None = None
        self._measured: Pose | None = None
        self._base: Pose | None = None

    def keep(self, arm: ArmState) -> None:
        """Keep of this state what is not kept yet. An arm may report its base later."""
        if self.setpoint is None:
            self.setpoint = Pose(arm.setpoint, arm.setpoint_rotation)
            self._measured = Pose(arm.measured, arm.measured_rotation)
        if self._base is None and arm.base:
            self._base = self._armed = arm.base
            self._told = False

    def unseen_move(self, arm: ArmState) -> str:
        """Return once that the base has moved since the last ~/arm, unless `departure` has.

        While the arm is disarmed nobody watches the base, and the box may be somewhere else now.
        """
        moved = "" if self._told else self._base_moved(self._armed, arm)
        self._told = self._told or bool(moved)
        return f"{moved}; measure the box again, then call ~/arm again" if moved else ""

    def goal(self, target: tuple[float, ...], arm: ArmState) -> Pose:
        """Return the pose (m) at the target (x, y), with the kept height and orientation."""
        kept = self.setpoint or Pose(arm.setpoint, arm.setpoint_rotation)
        return Pose((*target, *kept.position[AXES:]), kept.rotation)

    def departure(self, arm: ArmState) -> str:
        """Return what is no longer as it was, or an empty text. The text has limits, no readings.

        The base comes first: if the base moves, the tool seems to move as well.
        """
        limits = self._limits
        moved = self._base_moved(self._base, arm)
        if moved:
            self._told = True
            return moved
        poses = {
            "setpoint": (self.setpoint, Pose(arm.setpoint, arm.setpoint_rotation)),
            "measured tip": (self._measured, Pose(arm.measured, arm.measured_rotation)),
        }
        for name, (kept, now) in poses.items():
            if kept is None or len(now.position) != 3:
                continue
            if not abs(kept.position[2] - now.position[2]) <= limits.max_height_change:
                change = f"{limits.max_height_change * 1e3:g} mm"
                return f"the {name} has left its height at ~/arm by more than {change}"
            if not angle(kept.rotation, now.rotation) <= limits.max_turn:
                change = _degrees(limits.max_turn)
                return f"the {name} has turned by more than {change} since ~/arm"
        return ""

    def _base_moved(self, before: Pose | None, arm: ArmState) -> str:
        if before is None or arm.base is None:
            return ""
        limits = self._limits
        shift = math.dist(before.position, arm.base.position)
        turn = angle(before.rotation, arm.base.rotation)
        if shift <= limits.max_base_shift and turn <= limits.max_base_turn:  # false for NaN
            return ""
        return (
            f"the frame '{arm.frame}' has moved against the arm's base by more than "
            f"{limits.max_base_shift * 1e3:g} mm or {_degrees(limits.max_base_turn)} since ~/arm: "
            "was the camera arm or a setup joint moved?"
        )


def _degrees(radians: float) -> str:
    return f"{math.degrees(radians):.2g} degrees"
