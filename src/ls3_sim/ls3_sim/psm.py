"""A simulated patient side manipulator that behaves as CRTK says. Pure: no ROS, no physics.

Setpoints come from here; where the tool really is comes back through `measure`. As on the robot,
a command that cannot be followed is dropped, and only the robot's own log says why: the methods
return that reason, empty where the command was taken.
"""

from __future__ import annotations

import math

import numpy as np

from ls3_sim.kinematics import HIGH, JOINTS, LOW, Pose, inverse

TRACKING_TOLERANCE = 0.05
"""Metres between setpoint and tool beyond which the real arm cuts its motors' power."""
UNIT = 1e-2
"""How far from 1 the length of a quaternion may be."""


class Psm:
    """State machine, trajectory and limits of one arm.

    `state` is DISABLED, ENABLED, PAUSED or FAULT. `move_cp` goes straight to its goal at `speed`
    (the real arm interpolates in joints: over a centimetre the same) and is busy until there;
    `servo_cp` sets the setpoint at once and is never busy.
    """

    def __init__(self, pose: Pose, speed: float, homing_time: float) -> None:
        self.state, self.is_homed = "DISABLED", False
        self.setpoint = self.measured = pose
        self.speed, self.homing_time = speed, homing_time
        self._homing = 0.0  # seconds left
        self._start = pose
        self._goal: Pose | None = None
        self._travelled = 0.0  # metres of the way from start to goal

    @property
    def is_moving(self) -> bool:
        return self._goal is not None

    @property
    def is_busy(self) -> bool:
        return self.is_moving or self._homing > 0

    def state_command(self, name: str) -> str:
        """enable, disable, home, unhome, pause or resume."""
        if name == "disable":
            self._become("DISABLED")
        elif name == "enable" and self.state != "PAUSED":
            if self.state != "ENABLED":
                self._become("ENABLED")
        elif name == "home" and self.state in ("DISABLED", "ENABLED"):
            if self.state != "ENABLED":
                self._become("ENABLED")  # homing powers the motors by itself
            if not self.is_homed and not self.is_busy:
                self._homing = self.homing_time
        elif name == "unhome" and not self.is_busy:
            self.is_homed = False
        elif name == "pause" and self.state == "ENABLED":
            self._become("PAUSED")
        elif name == "resume" and self.state == "PAUSED":
            self._become("ENABLED")
        else:
            known = "enable, disable, home, unhome, pause, resume"
            return f"state command '{name}' does not apply in state {self.state} (known: {known})"
        return ""

    def move_cp(self, pose: Pose) -> str:
        """Go straight to a pose, from wherever a motion under way has come to."""
        reason = self._refuse(pose)
        if not reason:
            self._start, self._goal, self._travelled = self.setpoint, pose, 0.0
        return reason

    def servo_cp(self, pose: Pose) -> str:
        """Be at a pose now."""
        reason = self._refuse(pose)
        if not reason:
            self._goal, self.setpoint = None, pose
        return reason

    def hold(self) -> None:
        """End a motion where it is."""
        self._goal = None

    def place(self, pose: Pose) -> None:
        """Be somewhere else, as a new scene has it; no motion."""
        self._goal = None
        self.setpoint = self.measured = pose

    def advance(self, duration: float) -> None:
        """Let `duration` seconds pass."""
        if self._homing > 0:
            self._homing -= duration
            self.is_homed = self._homing <= 0
        if self._goal is None:
            return
        length = math.dist(self._start.position, self._goal.position)
        self._travelled += self.speed * duration
        if self._travelled < length - 1e-9:
            self.setpoint = _between(self._start, self._goal, self._travelled / length)
        else:
            self.setpoint, self._goal = self._goal, None

    def measure(self, position: tuple[float, ...]) -> None:
        """Take note of where the tip is; too far from the setpoint is a fault."""
        self.measured = Pose(position, self.setpoint.orientation)
        gap = math.dist(position, self.setpoint.position)
        if self.state == "ENABLED" and gap > TRACKING_TOLERANCE:
            self._become("FAULT")

    def _become(self, state: str) -> None:
        self.state, self._goal, self._homing = state, None, 0.0
        if state in ("DISABLED", "FAULT"):  # no power: where the tool is, it stays
            self.setpoint = self.measured

    def _refuse(self, pose: Pose) -> str:
        if self.state != "ENABLED":
            return f"the arm is {self.state}, not ENABLED"
        if not self.is_homed:
            return "the arm is not homed"
        if not all(map(math.isfinite, (*pose.position, *pose.orientation))):
            return "the pose is not finite"
        if abs(math.hypot(*pose.orientation) - 1) > UNIT:
            return "the orientation is no unit quaternion"
        if math.hypot(*pose.position) < LOW[2]:
            return f"the tip would be within {LOW[2]:g} m of the remote centre"
        joints = inverse(pose)
        beyond = np.flatnonzero((joints < LOW) | (joints > HIGH))
        if beyond.size:
            return f"{JOINTS[beyond[0]]} would leave its limits"
        return ""


def _between(start: Pose, goal: Pose, share: float) -> Pose:
    """Straight in position; the orientation by normalised interpolation, the short way round."""
    first, last = np.array(start.orientation), np.array(goal.orientation)
    turned = (1 - share) * first + share * (last if first @ last >= 0 else -last)
    position = (1 - share) * np.array(start.position) + share * np.array(goal.position)
    return Pose(tuple(position.tolist()), tuple((turned / np.linalg.norm(turned)).tolist()))
