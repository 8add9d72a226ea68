"""What may be sent to the arm: the limits, and the words `safety.decide` is asked and answers in.

Stamps are integers in nanoseconds of one clock, 0 means invalid (as CRTK marks invalid data).
Neither the paper nor the dVRK give a step size, a workspace, a speed or a watchdog for this
task; the defaults are this project's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ls3_common.parameters import parameter

AXES = 2
"""The learned action is (dx, dy); the height and orientation of the tool are kept."""
ROUNDING = 1e-6
"""Metres. Actions travel as float32; differences below a micrometre are no violation."""


@dataclasses.dataclass(frozen=True)
class ArmLimits:
    """Limits of one arm, in its base frame."""

    frame: str = parameter(
        "", description="frame the arm must report its pose in; empty: <arm>_base"
    )
    workspace_low: tuple[float, ...] = parameter(
        (-0.13, -0.13), description="lower corner (x, y) of the workspace box", unit="m"
    )
    workspace_high: tuple[float, ...] = parameter(
        (0.13, 0.13), description="upper corner (x, y) of the workspace box", unit="m"
    )
    workspace_margin: float = parameter(
        0.0, description="kept free inside the box on every side", unit="m", low=0.0, high=0.1
    )
    outside: str = parameter(
        "clamp",
        description="a goal outside the box is moved to its edge and a step that is too fast made "
        "shorter, or the action is rejected",
        choices=("clamp", "reject"),
    )
    max_step: float = parameter(
        0.015, description="largest displacement per axis and step", unit="m", low=1e-4, high=0.05
    )
    max_velocity: float = parameter(
        0.2,
        description="largest mean speed of a step: its length by the time since the last one began",
        unit="m/s",
        low=1e-3,
        high=1.0,
    )
    max_acceleration: float = parameter(
        2.0,
        description="largest mean acceleration of a step, each of which begins at rest: its length "
        "by the square of the time since the last one began",
        unit="m/s^2",
        low=1e-3,
        high=20.0,
    )
    max_tracking_error: float = parameter(
        0.01,
        description="largest distance of measured from commanded tip when a motion starts; the "
        "robot itself cuts motor power at 0.05 m",
        unit="m",
        low=1e-4,
        high=0.05,
    )
    max_image_age: float = parameter(
        2.0,
        description="oldest camera frame a plan may rest on; includes the planning time",
        unit="s",
        low=0.01,
        high=3600.0,
    )
    max_state_age: float = parameter(
        0.25, description="oldest robot state acted upon", unit="s", low=0.01, high=60.0
    )
    max_silence: float = parameter(
        2.0,
        description="longest wall time without a robot pose; a stopped simulation stops its clock "
        "too, so that stamps alone would look fresh for ever",
        unit="s",
        low=0.1,
        high=60.0,
    )
    max_clock_skew: float = parameter(
        0.1,
        description="how far a stamp may lie in the future, for clocks of several computers",
        unit="s",
        low=0.0,
        high=10.0,
    )

    latch_timeouts: bool = parameter(
        True,
        description="a robot state that is too old keeps the arm held until an operator arms "
        "again, though it be fresh by then; false only where nobody is near, in simulation",
    )

    def __post_init__(self) -> None:
        for name in ("workspace_low", "workspace_high"):
            if len(getattr(self, name)) != AXES:
                raise ValueError(f"'{name}' needs {AXES} numbers (x, y)")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("the workspace is empty: low + margin must be below high - margin")

    @property
    def low(self) -> tuple[float, ...]:
        """Lower corner in force, margin included (m)."""
        return tuple(value + self.workspace_margin for value in self.workspace_low)

    @property
    def high(self) -> tuple[float, ...]:
        """Upper corner in force, margin included (m)."""
        return tuple(value - self.workspace_margin for value in self.workspace_high)

    def longest_step(self, duration: float) -> float:
        """Length (m) a step may have `duration` seconds after the last one began."""
        duration = max(duration, 0.0)
        return min(self.max_velocity * duration, self.max_acceleration * duration**2)


@dataclasses.dataclass(frozen=True)
class ArmState:
    """What is known of the arm. Positions are the tip's (x, y, z) in `frame` (m)."""

    state: str = ""  # CRTK: DISABLED, ENABLED, PAUSED, FAULT; empty while unknown
    is_homed: bool = False
    is_busy: bool = False
    stamp: int = 0  # of the older of the two poses (ns)
    frame: str = ""
    setpoint: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()
    silence: float = 0.0  # wall time since the last pose (s)


@dataclasses.dataclass(frozen=True)
class Request:
    """What the planner asks for."""

    action: Sequence[float]  # (dx, dy), m
    image_stamp: int  # of the frame it was planned from (ns)
    feasible: bool = True


@dataclasses.dataclass(frozen=True)
class Decision:
    """`outcome` is sent, clamped, held or refused; only the first two carry a goal."""

    outcome: str
    reason: str = ""
    displacement: tuple[float, ...] = (0.0,) * AXES  # actually sent (m)
    goal: tuple[float, ...] = ()  # tip (x, y), m

    @property
    def moves(self) -> bool:
        return bool(self.goal)
