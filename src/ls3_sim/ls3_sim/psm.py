"""A simulated patient side manipulator that behaves as CRTK says. Pure: no ROS, no physics.

Setpoints come from here; where the tool really is comes back through `measure`. As on the robot,
a command that cannot be followed is dropped, and only the robot's own log says why: the methods
return that reason, empty where the command was taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ls3_sim import reach
from ls3_sim.kinematics import Pose, Vector, inverse, pose_of
from ls3_sim.trajectory import TimedPath, joint_move, line

TRACKING_TOLERANCE = np.array([0.5, 0.5, 0.05])
"""Gap of yaw, pitch (rad) and insertion (m) beyond which the real arm cuts its motors' power."""
FASTEST = np.array([1.0, 1.0, 0.1, 3.0, 3.0, 3.0])
"""Greatest velocity of each joint in a joint move (rad/s; insertion m/s): ours, and moderate."""
JAW_FASTEST = np.array([3.0])
"""The same of the jaw (rad/s)."""


class Psm:
    """State machine, trajectories and limits of one arm.

    `state` is DISABLED, ENABLED, PAUSED or FAULT. `move_cp` goes straight to its goal at `speed`
    (the real arm interpolates in joints: over a centimetre the same), `move_jp` interpolates in
    joints; both are busy until there. `servo_*` sets the setpoint at once and is never busy. The
    jaw is always where it is told to be. `ratio` slows the moves down, as `trajectory_j` does.
    """

    def __init__(self, pose: Pose, speed: float, homing_time: float) -> None:
        self.state, self.is_homed = "DISABLED", False
        self.setpoint = self.measured = pose
        self.joints: Vector = inverse(pose)
        self.measured_joints: Vector = self.joints
        self.velocity: Vector = np.zeros(6)  # of the measured joints
        self.jaw: Vector = np.zeros(1)  # radians
        self.jaw_velocity: Vector = np.zeros(1)
        self.tool_present = True
        self.ratio = 1.0
        self.speed, self.homing_time = speed, homing_time
        self._homing = 0.0  # seconds left
        self._motion: TimedPath[Pose] | TimedPath[Vector] | None = None
        self._jaw_motion: TimedPath[Vector] | None = None

    @property
    def is_moving(self) -> bool:
        return self._motion is not None or self._jaw_motion is not None

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
                self._homing, self.is_homed = self.homing_time, self.homing_time <= 0
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
        reason = self._refuse_pose(pose)
        if reason:
            return reason
        way = line(self.setpoint, pose, self.speed)
        reason = reach.refuse_way(way, self.joints)
        if not reason:
            self._motion = way
        return reason

    def servo_cp(self, pose: Pose) -> str:
        """Be at a pose now."""
        reason = self._refuse_pose(pose)
        if not reason:
            self._motion = None
            self._set(pose)
        return reason

    def move_jp(self, joints: Sequence[float], *, relative: bool = False) -> str:
        """Go to joint positions (6,), or by so much from the present setpoint."""
        reason = self._refuse_joints(joints, relative)
        if not reason:
            self._motion = joint_move(self.joints, self._goal(joints, relative), FASTEST)
        return reason

    def servo_jp(self, joints: Sequence[float], *, relative: bool = False) -> str:
        """Be at joint positions (6,) now, or by so much from the present setpoint."""
        reason = self._refuse_joints(joints, relative)
        if not reason:
            self._motion = None
            self._set(self._goal(joints, relative))
        return reason

    def move_jaw(self, angle: Sequence[float]) -> str:
        """Open or close the jaw to an angle (1,), beside any motion of the arm."""
        reason = self._refuse() or reach.refuse_jaw(angle)
        if not reason:
            self._jaw_motion = joint_move(self.jaw, np.array(angle), JAW_FASTEST)
        return reason

    def servo_jaw(self, angle: Sequence[float]) -> str:
        """Have the jaw at an angle (1,) now."""
        reason = self._refuse() or reach.refuse_jaw(angle)
        if not reason:
            self._jaw_motion, self.jaw = None, np.array(angle)
        return reason

    def set_ratio(self, ratio: float) -> str:
        """The share of their speed with which moves run from now on, in ]0, 1]."""
        if not 0 < ratio <= 1:
            return f"a ratio of {ratio:g} is not in ]0, 1]"
        self.ratio = ratio
        return ""

    def set_tool_present(self, present: bool) -> None:
        """Whether an instrument is on the arm: without one there is no tip to command."""
        self.tool_present = present

    def hold(self) -> None:
        """End every motion where it is."""
        self._motion = self._jaw_motion = None

    def free(self) -> str:
        """No effort: without gravity in this model the arm stays where it is."""
        if self.state != "ENABLED":
            return f"the arm is {self.state}, not ENABLED"
        self.hold()
        self._set(self.measured)
        return ""

    def place(self, pose: Pose) -> None:
        """Be somewhere else, as a new scene has it; no motion."""
        self.hold()
        self._set(pose)
        self.measured, self.measured_joints = self.setpoint, self.joints
        self.velocity = np.zeros(6)

    def advance(self, duration: float) -> None:
        """Let `duration` seconds pass; `measure` must follow."""
        if self._homing > 0:
            self._homing -= duration
            self.is_homed = self._homing <= 0
        if self._motion is not None:
            self._set(self._motion.advance(duration * self.ratio))
            if self._motion.done:
                self._motion = None
        self.jaw_velocity = np.zeros(1)
        if self._jaw_motion is not None:
            before, self.jaw = self.jaw, self._jaw_motion.advance(duration * self.ratio)
            self.jaw_velocity = (self.jaw - before) / duration
            if self._jaw_motion.done:
                self._jaw_motion = None

    def measure(self, position: tuple[float, ...], duration: float) -> None:
        """Take note of where the tip is after `duration` s; far from the setpoint is a fault."""
        before = self.measured_joints
        self.measured = Pose(position, self.setpoint.orientation)
        self.measured_joints = inverse(self.measured, near=self.joints)
        self.velocity = (self.measured_joints - before) / duration
        gap = np.abs(self.joints - self.measured_joints)[:3]
        if self.state == "ENABLED" and (gap > TRACKING_TOLERANCE).any():
            self._become("FAULT")

    def _become(self, state: str) -> None:
        self.state, self._homing = state, 0.0
        self.hold()
        if state in ("DISABLED", "FAULT"):  # no power: where the tool is, it stays
            self._set(self.measured)

    def _set(self, place: Pose | Vector) -> None:
        if isinstance(place, Pose):
            self.setpoint, self.joints = place, inverse(place, near=self.joints)
        else:
            self.setpoint, self.joints = pose_of(place), place

    def _goal(self, joints: Sequence[float], relative: bool) -> Vector:
        return np.array(joints) + (self.joints if relative else 0.0)

    def _refuse(self) -> str:
        if self.state != "ENABLED":
            return f"the arm is {self.state}, not ENABLED"
        return "" if self.is_homed else "the arm is not homed"

    def _refuse_pose(self, pose: Pose) -> str:
        no_tool = "" if self.tool_present else "there is no instrument on the arm"
        return self._refuse() or no_tool or reach.refuse_pose(pose, self.joints)

    def _refuse_joints(self, joints: Sequence[float], relative: bool) -> str:
        if len(joints) != 6:
            return f"{len(joints)} joint positions are not 6"
        return self._refuse() or reach.refuse_joints(self._goal(joints, relative))
