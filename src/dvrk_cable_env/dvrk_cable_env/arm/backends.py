"""Chooses the back-end that reaches the arm."""

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
    """Create the back-end for one arm.

    Args:
        backend: one of `arm.BACKENDS`.
        node: the node that owns the subscriptions and publishers.
        name: CRTK name of the arm, e.g. ``PSM1``.
        on_state: called after every new operating state.
        on_pose: called after every new pose.

    Raises:
        UserError: the back-end is dvrk and the dvrk-python API cannot be imported.
    """
    kinds: dict[str, Callable[..., Arm]] = {"crtk": CrtkArm, "dvrk": DvrkArm}
    return kinds[backend](node, name, on_state=on_state, on_pose=on_pose)
