"""Limits of what may be sent to the arm, and the data types of the filter `safety.decide`.

Stamps are integers in nanoseconds of one clock; 0 means invalid, as in CRTK. Neither the paper nor
the dVRK gives a step size, a workspace, a speed or a watchdog for this task: the defaults are this
project's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from dvrk_cable_env.arm.pose import IDENTITY, Pose
from ls3_common.domain import installed
from ls3_common.parameters import parameter

AXES = 2
"""Size of the action (dx, dy). The tool keeps its height and orientation."""
ROUNDING = 1e-6
"""Metres. Actions travel as float32, so smaller differences are not a violation of a limit."""


@dataclasses.dataclass(frozen=True)
class ArmLimits:
    """Parameters `limits.*` of arm_node: what may be sent to the arm, in the arm's base frame.

    The description of a field says what it means and in which unit.
    """

    frame: str = parameter(
        "", description="frame in which the arm must report its pose; empty: <arm>_base"
    )
    workspace_low: tuple[float, ...] = parameter(
        (-0.13, -0.13), description="lower corner (x, y) of the workspace box", unit="m"
    )
    workspace_high: tuple[float, ...] = parameter(
        (0.13, 0.13), description="upper corner (x, y) of the workspace box", unit="m"
    )
    workspace_margin: float = parameter(
        0.0, description="margin kept free inside the box", unit="m", low=0.0, high=0.1
    )
    outside: str = parameter(
        "clamp",
        description="what to do with a goal outside the box or a step that is too fast; clamp: "
        "move the goal to the edge, shorten the step; reject: refuse the action",
        choices=("clamp", "reject"),
    )
    max_step: float = parameter(
        default_factory=installed("cable_routing", "largest_action"),
        description="largest displacement per axis and step, at most that of the domain",
        unit="m",
        low=1e-4,
        high=0.05,
        domain="largest_action",
        may_be_less=True,
    )
    max_mean_speed: float = parameter(
        0.2,
        description="largest mean speed of a step: its length divided by the time since the "
        "previous step began; the arm itself chooses the speed of its tip, see max_speed",
        unit="m/s",
        low=1e-3,
        high=1.0,
    )
    max_mean_acceleration: float = parameter(
        2.0,
        description="largest mean acceleration of a step that starts at rest: its length divided "
        "by the square of the time since the previous step began",
        unit="m/s^2",
        low=1e-3,
        high=20.0,
    )
    max_speed: float = parameter(
        0.2,
        description="largest measured speed of the tip during a motion, from one measured pose to "
        "the next; above it the arm is held and stays held",
        unit="m/s",
        low=1e-3,
        high=10.0,
    )
    max_height_change: float = parameter(
        0.002,
        description="largest change of the tip's height since ~/arm, commanded or measured",
        unit="m",
        low=1e-4,
        high=0.05,
    )
    max_turn: float = parameter(
        0.035,
        description="largest rotation of the tool since ~/arm, commanded or measured; 0.035: 2 "
        "degrees",
        unit="rad",
        low=1e-3,
        high=3.2,
    )
    max_base_shift: float = parameter(
        0.001,
        description="largest shift, since ~/arm, of the frame of setpoint_cp against the arm's "
        "base, in which local/setpoint_cp is; a camera arm or a setup joint moves it",
        unit="m",
        low=1e-5,
        high=1.0,
    )
    max_base_turn: float = parameter(
        0.0087,
        description="largest rotation of that frame since ~/arm; 0.0087: half a degree",
        unit="rad",
        low=1e-4,
        high=3.2,
    )
    max_effort: tuple[float, ...] = parameter(
        (),
        description="largest absolute effort of each joint in measured_js, in its order: yaw, "
        "pitch, insertion, roll and two of the wrist; empty: efforts are not watched",
        unit="N m; insertion N",
    )
    max_tracking_error: float = parameter(
        0.01,
        description="largest distance between commanded and measured tip when a motion starts; "
        "the robot itself cuts motor power at 0.05 m",
        unit="m",
        low=1e-4,
        high=0.05,
    )
    max_image_age: float = parameter(
        2.0,
        description="largest age of the camera frame that a plan rests on, planning time included",
        unit="s",
        low=0.01,
        high=3600.0,
    )
    max_state_age: float = parameter(
        0.25, description="largest age of the arm's state, by stamp", unit="s", low=0.01, high=60.0
    )
    max_silence: float = parameter(
        2.0,
        description="longest wall time without a pose of the arm; a simulation that stops also "
        "stops its clock, and by stamps alone its last pose would stay fresh",
        unit="s",
        low=0.1,
        high=60.0,
    )
    max_clock_skew: float = parameter(
        0.1,
        description="how far a stamp may lie in the future: clocks of several computers differ",
        unit="s",
        low=0.0,
        high=10.0,
    )

    latch_timeouts: bool = parameter(
        True,
        description="after a state that was too old the arm stays held until an operator arms "
        "again; false: only for simulation, where nobody is near the arm",
    )

    def __post_init__(self) -> None:
        for name in ("workspace_low", "workspace_high"):
            if len(getattr(self, name)) != AXES:
                raise ValueError(f"'{name}' needs {AXES} numbers (x, y)")
        if not all(0 < effort < math.inf for effort in self.max_effort):
            raise ValueError("'max_effort' needs positive numbers, one for each joint")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("the workspace is empty: low + margin must be below high - margin")

    @property
    def low(self) -> tuple[float, ...]:
        """Lower corner (x, y) of the box after the margin, m."""
        return tuple(value + self.workspace_margin for value in self.workspace_low)

    @property
    def high(self) -> tuple[float, ...]:
        """Upper corner (x, y) of the box after the margin, m."""
        return tuple(value - self.workspace_margin for value in self.workspace_high)

    def longest_step(self, duration: float) -> float:
        """Largest length (m) of a step that begins `duration` seconds after the previous step."""
        duration = max(duration, 0.0)
        return min(self.max_mean_speed * duration, self.max_mean_acceleration * duration**2)


@dataclasses.dataclass(frozen=True)
class ArmState:
    """What is known of the arm.

    state: CRTK operating state, DISABLED, ENABLED, PAUSED or FAULT; empty if unknown.
    is_homed, is_busy: as in crtk_msgs/OperatingState.
    stamp: of the older of the two poses (ns); 0 if invalid.
    frame: frame of both poses; the names of both if they differ.
    setpoint, measured: commanded and measured tip (x, y, z), m; empty if unknown.
    silence: wall time since the last pose (s).
    setpoint_rotation, measured_rotation: orientations of both poses, quaternions (x, y, z, w).
    speed: of the measured tip (m/s).
    base: pose of the arm's base in the frame of the poses (m); None if the arm does not tell.
    base_stamp: of the poses that show the base (ns); 0 if there are none.
    effort: of each joint (N m, insertion N); empty if unknown. effort_stamp: its stamp (ns).
    """

    state: str = ""
    is_homed: bool = False
    is_busy: bool = False
    stamp: int = 0
    frame: str = ""
    setpoint: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()
    silence: float = 0.0
    setpoint_rotation: tuple[float, ...] = IDENTITY
    measured_rotation: tuple[float, ...] = IDENTITY
    speed: float = 0.0
    base: Pose | None = None
    base_stamp: int = 0
    effort: tuple[float, ...] = ()
    effort_stamp: int = 0


@dataclasses.dataclass(frozen=True)
class Request:
    """A planned action.

    action: (dx, dy), m; image_stamp: stamp of the frame that the plan rests on (ns); feasible:
    whether the plan meets the constraints (5) and (6) of the paper; lacks: why not, in the
    planner's words.
    """

    action: Sequence[float]
    image_stamp: int
    feasible: bool = True
    lacks: str = ""


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the filter decided about one action.

    outcome: `sent` (unchanged), `clamped` (changed to meet a limit), `held` (no feasible plan) or
    `refused`. reason: why it was not sent unchanged. displacement: (dx, dy) that was sent, m.
    goal: tip position (x, y), m; empty if the arm does not move.
    """

    outcome: str
    reason: str = ""
    displacement: tuple[float, ...] = (0.0,) * AXES
    goal: tuple[float, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the arm is to move."""
        return bool(self.goal)
