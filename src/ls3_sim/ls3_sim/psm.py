"""A simulated patient side manipulator (PSM) that behaves as CRTK prescribes. No ROS, no physics.

Setpoints come from here; the actual position of the tool comes back through `measure`. As on the
robot, a command that cannot be followed is dropped, and only the robot's log says why: the methods
return that reason, or an empty text if the command was accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ls3_sim import reach
from ls3_sim.kinematics import JOINTS, TipPose, Vector, inverse, pose_of
from ls3_sim.trajectory import TimedPath, joint_move, line

TRACKING_TOLERANCE = np.array([0.5, 0.5, 0.05])
"""Gap of yaw, pitch (rad) and insertion (m) above which the real arm cuts its motors' power."""
FASTEST = np.array([1.0, 1.0, 0.1, 3.0, 3.0, 3.0])
"""Largest velocity of each joint in a joint move, rad/s, insertion m/s; a moderate choice."""
JAW_FASTEST = np.array([3.0])
"""Largest velocity of the jaw, rad/s."""


class Psm:
    """State machine, trajectories and limits of one arm.

    state: CRTK operating state, DISABLED, ENABLED, PAUSED or FAULT. is_homed: as in CRTK.
    setpoint, measured: commanded and measured pose of the tip.
    joints, measured_joints: commanded and measured joint positions (6,), rad, insertion m.
    velocity: of the measured joints (6,), rad/s, insertion m/s.
    jaw, jaw_velocity: angle (1,), rad, and velocity (1,), rad/s; the jaw follows exactly.
    tool_present: whether an instrument is on the arm.
    ratio: factor on the speed of moves, in (0, 1].
    end_of_motion: where the tip is, (x, y), m, after a `move_cp` from one place to another.

    `move_cp` goes straight to its goal (the real arm interpolates in joints, which is the same
    within a centimetre); `move_jp` interpolates in joints; both are busy until they arrive.
    `servo_*` sets the setpoint at once and is never busy; a jump beyond TRACKING_TOLERANCE is a
    fault, because the real arm compares the setpoint with its joints at once.
    """

    def __init__(self, pose: TipPose, speed: float, homing_time: float) -> None:
        """Start disabled at `pose`; `speed` of moves in m/s, duration of homing in s."""
        self.state, self.is_homed = "DISABLED", False
        self.setpoint = self.measured = pose
        self.joints: Vector = inverse(pose)
        self.measured_joints: Vector = self.joints
        self.velocity: Vector = np.zeros(6)
        self.jaw: Vector = np.zeros(1)
        self.jaw_velocity: Vector = np.zeros(1)
        self.tool_present = True
        self.ratio = 1.0
        self.end_of_motion: Callable[[Vector, Vector], Vector] = lambda _begin, goal: goal
        self.speed, self.homing_time = speed, homing_time
        self._homing = 0.0  # seconds left
        self._motion: TimedPath[TipPose] | TimedPath[Vector] | None = None
        self._jaw_motion: TimedPath[Vector] | None = None

    @property
    def is_moving(self) -> bool:
        """Whether a move of the arm or of the jaw is under way."""
        return self._motion is not None or self._jaw_motion is not None

    @property
    def is_busy(self) -> bool:
        """Whether the arm is moving or homing, as CRTK reports."""
        return self.is_moving or self._homing > 0

    def state_command(self, name: str) -> str:
        """Carry out a CRTK state command: enable, disable, home, unhome, pause or resume."""
        if name == "disable":
            self._enter("DISABLED")
        elif name == "enable" and self.state != "PAUSED":
            if self.state != "ENABLED":
                self._enter("ENABLED")
        elif name == "home" and self.state in ("DISABLED", "ENABLED"):
            if self.state != "ENABLED":
                self._enter("ENABLED")  # homing switches the motors on
            if not self.is_homed and not self.is_busy:
                self._homing, self.is_homed = self.homing_time, self.homing_time <= 0
        elif name == "unhome" and not self.is_busy:
            self.is_homed = False
        elif name == "pause" and self.state == "ENABLED":
            self._enter("PAUSED")
        elif name == "resume" and self.state == "PAUSED":
            self._enter("ENABLED")
        else:
            known = "enable, disable, home, unhome, pause, resume"
            return f"state command '{name}' does not apply in state {self.state} (known: {known})"
        return ""

    def move_cp(self, pose: TipPose) -> str:
        """Move straight to a pose, from the present setpoint if another move is under way."""
        reason = self._refuse_pose(pose)
        if reason:
            return reason
        begin, goal = (np.array(place.position[:2]) for place in (self.setpoint, pose))
        end = self.end_of_motion(begin, goal).tolist()
        pose = TipPose((*end, *pose.position[2:]), pose.orientation)
        path = line(self.setpoint, pose, self.speed)
        reason = reach.refuse_path(path, self.joints)
        if not reason:
            self._motion = path
        return reason

    def servo_cp(self, pose: TipPose) -> str:
        """Set the setpoint to a pose at once."""
        return self._refuse_pose(pose) or self._servo(pose)

    def move_jp(self, joints: Sequence[float], *, relative: bool = False) -> str:
        """Move to joint positions (6,), or by these amounts if `relative`; rad, insertion m."""
        reason = self._refuse_joints(joints, relative)
        if not reason:
            self._motion = joint_move(self.joints, self._goal(joints, relative), FASTEST)
        return reason

    def servo_jp(self, joints: Sequence[float], *, relative: bool = False) -> str:
        """Set the setpoint to joint positions (6,) at once, or change it by them if `relative`."""
        reason = self._refuse_joints(joints, relative)
        return reason or self._servo(self._goal(joints, relative))

    def move_jaw(self, angle: Sequence[float]) -> str:
        """Move the jaw to an angle (1,), rad, independently of the arm."""
        reason = self._refuse() or reach.refuse_jaw(angle)
        if not reason:
            self._jaw_motion = joint_move(self.jaw, np.array(angle), JAW_FASTEST)
        return reason

    def servo_jaw(self, angle: Sequence[float]) -> str:
        """Set the jaw to an angle (1,), rad, at once."""
        reason = self._refuse() or reach.refuse_jaw(angle)
        if not reason:
            self._jaw_motion, self.jaw = None, np.array(angle)
        return reason

    def set_ratio(self, ratio: float) -> str:
        """Set the factor on the speed of moves, in (0, 1]."""
        if not 0 < ratio <= 1:
            return f"a ratio of {ratio:g} is not in (0, 1]"
        self.ratio = ratio
        return ""

    def set_tool_present(self, present: bool) -> None:
        """Set whether an instrument is on the arm; without one Cartesian commands are dropped."""
        self.tool_present = present

    def hold(self) -> None:
        """End every move at the present setpoint."""
        self._motion = self._jaw_motion = None

    def free(self) -> str:
        """Apply no effort; the arm stays where it is, because gravity is not modelled."""
        if self.state != "ENABLED":
            return f"the arm is {self.state}, not ENABLED"
        self.hold()
        self._set(self.measured)
        return ""

    def place(self, pose: TipPose) -> None:
        """Put the tip at a pose without a motion, for a new scene."""
        self.hold()
        self._set(pose)
        self.measured, self.measured_joints = self.setpoint, self.joints
        self.velocity = np.zeros(6)

    def advance(self, duration: float) -> None:
        """Let `duration` seconds pass; call `measure` afterwards."""
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
        """Set the tip's measured position (x, y, z), m, after `duration` seconds.

        If the gap to the setpoint exceeds `TRACKING_TOLERANCE`, the arm goes to FAULT.
        """
        before = self.measured_joints
        self.measured = TipPose(position, self.setpoint.orientation)
        self.measured_joints = inverse(self.measured, near=self.joints)
        self.velocity = (self.measured_joints - before) / duration
        self._track()

    def _servo(self, place: TipPose | Vector) -> str:
        """Set the setpoint at once; a jump that the joints cannot follow is a fault."""
        self._motion = None
        self._set(place)
        return self._track()

    def _track(self) -> str:
        """Go to FAULT if the measured joints are too far from the setpoint, and return why."""
        gap = np.abs(self.joints - self.measured_joints)[: TRACKING_TOLERANCE.size]
        beyond = np.flatnonzero(gap > TRACKING_TOLERANCE)
        if self.state != "ENABLED" or not beyond.size:
            return ""
        self._enter("FAULT")
        return f"{JOINTS[beyond[0]]} is beyond its tracking tolerance: FAULT"

    def _enter(self, state: str) -> None:
        self.state, self._homing = state, 0.0
        self.hold()
        if state in ("DISABLED", "FAULT"):  # without power the tool stays where it is
            self._set(self.measured)

    def _set(self, place: TipPose | Vector) -> None:
        if isinstance(place, TipPose):
            self.setpoint, self.joints = place, inverse(place, near=self.joints)
        else:
            self.setpoint, self.joints = pose_of(place), place

    def _goal(self, joints: Sequence[float], relative: bool) -> Vector:
        return np.array(joints) + (self.joints if relative else 0.0)

    def _refuse(self) -> str:
        if self.state != "ENABLED":
            return f"the arm is {self.state}, not ENABLED"
        return "" if self.is_homed else "the arm is not homed"

    def _refuse_pose(self, pose: TipPose) -> str:
        no_tool = "" if self.tool_present else "there is no instrument on the arm"
        return self._refuse() or no_tool or reach.refuse_pose(pose, self.joints)

    def _refuse_joints(self, joints: Sequence[float], relative: bool) -> str:
        if len(joints) != 6:
            return f"{len(joints)} joint positions, not 6"
        return self._refuse() or reach.refuse_joints(self._goal(joints, relative))
