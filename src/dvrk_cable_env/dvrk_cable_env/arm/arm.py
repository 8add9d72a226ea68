"""What an arm is to its controller, and the parameters of arm_node. Pure: no ROS."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from dvrk_cable_env.arm.guards import GuardConfig
from dvrk_cable_env.arm.limits import ArmLimits, ArmState
from ls3_common.parameters import parameter

BACKENDS = ("crtk", "dvrk")


class Arm(Protocol):
    """One arm, whichever way it is spoken to. It only says what it knows and does what it is told.

    None of these waits for the robot.
    """

    def state(self) -> ArmState: ...

    def command(self, name: str) -> bool:
        """Send a CRTK state command (enable, home); False while nobody listens."""

    def move(self, goal: tuple[float, ...]) -> tuple[float, ...]:
        """Start a motion of the tip to (x, y) in metres, keeping its height and orientation.

        Returns the (x, y) actually sent, empty where nothing was.
        """

    def hold(self) -> None:
        """Stop where it is."""

    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until the last hold has been received."""


@dataclasses.dataclass(frozen=True)
class ArmConfig:
    """Parameters of arm_node."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    backend: str = parameter(
        "crtk",
        description="crtk: the arm's own topics; dvrk: the same through the dvrk-python API",
        choices=BACKENDS,
    )
    autostart: bool = parameter(
        True,
        description="configure and activate the node at start; false: a lifecycle manager does, "
        "and until then nothing is sent to the arm",
    )
    auto_enable: bool = parameter(
        False,
        description="enable, home and arm at start; on a robot the operator does it, and the "
        "launch file sets it in simulation",
    )
    enable_timeout: float = parameter(
        30.0, description="longest wait for enabled and homed", unit="s", low=0.1, high=600.0
    )
    motion_timeout: float = parameter(
        5.0,
        description="a motion that has not ended by then is stopped and latches a fault",
        unit="s",
        low=0.1,
        high=60.0,
    )
    goal_tolerance: float = parameter(
        0.002,
        description="a motion has ended where setpoint and measured tip are this near its goal",
        unit="m",
        low=1e-5,
        high=0.05,
    )
    guards: GuardConfig = dataclasses.field(default_factory=GuardConfig)
    limits: ArmLimits = dataclasses.field(default_factory=ArmLimits)


@dataclasses.dataclass(frozen=True)
class Status:
    """What MOTION_STATE tells; `stamp` (ns) is when the motion began or the last one ended."""

    moving: bool
    ready: bool
    reason: str
    stamp: int
