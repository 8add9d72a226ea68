"""The interface between the controller and an arm, and the parameters of arm_node. No ROS."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from dvrk_cable_env.arm.guards import GuardConfig
from dvrk_cable_env.arm.limits import ArmLimits, ArmState
from dvrk_cable_env.arm.pose import Pose
from ls3_common.parameters import parameter

BY_OPERATOR = "by the operator"
"""Words in the reason of an arm that a person, and not a guard, has stopped."""
BACKENDS = ("crtk", "dvrk")
"""Names of the ways to reach an arm: CRTK topics, or the dvrk-python API."""


class Arm(Protocol):
    """One arm as the controller sees it. `CrtkArm` and `DvrkArm` implement this protocol.

    An arm only reports its state and carries out commands; every decision is the controller's.
    No method waits for the robot, except `flush`. Lengths are metres in the arm's base frame.
    """

    def state(self) -> ArmState:
        """Return the newest known state of the arm."""

    def command(self, name: str) -> bool:
        """Send a CRTK state command, `enable`, `home` or `resume`.

        Returns:
            False if no robot subscribes to the command yet; nothing was sent then.
        """

    def move(self, goal: Pose) -> tuple[float, ...]:
        """Start a motion of the tool.

        Args:
            goal: pose of the tip, m, in the frame of the arm's setpoint.

        Returns:
            The (x, y) that was sent, m; empty if nothing could be sent.
        """

    def hold(self) -> None:
        """Tell the arm to stop where it is (CRTK `hold`), which an arm without `hold` misses."""

    def freeze(self) -> bool:
        """Tell an arm without `hold` to stop: `servo_jp` to its newest setpoint, then `pause`.

        Returns:
            False if a command was not sent, or nobody subscribes to it, or
            `guards.require_hold` is true.
        """

    def received(self) -> bool:
        """Return whether every subscriber has received the last stop."""


@dataclasses.dataclass(frozen=True)
class ArmConfig:
    """Parameters of arm_node; the description of a field says what it means and in which unit."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    backend: str = parameter(
        "crtk",
        description="how to reach the arm; crtk: the arm's own topics, dvrk: the dvrk-python API",
        choices=BACKENDS,
    )
    autostart: bool = parameter(
        True,
        description="configure and activate this node at start; false: a lifecycle manager "
        "activates the node, and the node sends nothing to the arm before",
    )
    auto_enable: bool = parameter(
        False,
        description="enable, home and arm the robot at start; only for simulation, where the "
        "launch file sets this; on a robot the operator does these steps",
    )
    enable_timeout: float = parameter(
        30.0, description="longest time to enable and home", unit="s", low=0.1, high=600.0
    )
    motion_timeout: float = parameter(
        5.0,
        description="longest time of one motion; a longer motion is stopped and latches a fault",
        unit="s",
        low=0.1,
        high=60.0,
    )
    goal_tolerance: float = parameter(
        0.002,
        description="distance of setpoint and measured tip from the goal at which a motion ends",
        unit="m",
        low=1e-5,
        high=0.05,
    )
    guards: GuardConfig = dataclasses.field(default_factory=GuardConfig)
    limits: ArmLimits = dataclasses.field(default_factory=ArmLimits)


@dataclasses.dataclass(frozen=True)
class Status:
    """The content of a MOTION_STATE message.

    moving: whether the arm moves; ready: whether the arm accepts plans; reason: why the arm is not
    ready, or of an arm that is ready, why the last plan held the arm, empty if it did not; stamp:
    when the present motion began or the last motion ended (ns).
    """

    moving: bool
    ready: bool
    reason: str
    stamp: int
