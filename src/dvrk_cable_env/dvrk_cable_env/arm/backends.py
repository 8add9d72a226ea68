"""The ways to speak to an arm; which one, a parameter says."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from dvrk_cable_env.arm.arm import Arm
from dvrk_cable_env.arm.crtk_arm import CrtkArm
from dvrk_cable_env.arm.dvrk_arm import DvrkArm


def connect(
    backend: str,
    node: Node,
    name: str,
    on_state: Callable[[], None],
    on_pose: Callable[[], None],
) -> Arm:
    """The arm `name` on `node`, which calls back after news of its state and its pose.

    backend: one of `arm.BACKENDS`.

    Raises:
        UserError: the dvrk-python API is wanted and cannot be imported.
    """
    kinds: dict[str, Callable[..., Arm]] = {"crtk": CrtkArm, "dvrk": DvrkArm}
    return kinds[backend](node, name, on_state=on_state, on_pose=on_pose)
