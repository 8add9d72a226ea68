"""Chooses the back-end that reaches the arm."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from dvrk_cable_env.arm.arm import Arm
from dvrk_cable_env.arm.crtk_arm import CrtkArm
from dvrk_cable_env.arm.dvrk_arm import DvrkArm
from dvrk_cable_env.arm.reports import Callbacks
from dvrk_cable_env.arm.stop_topics import Freeze


def connect(
    backend: str,
    node: Node,
    name: str,
    callbacks: Callbacks,
    *,
    efforts: bool,
    require_hold: bool,
) -> Arm:
    """Create the back-end for one arm.

    Args:
        backend: one of `arm.BACKENDS`.
        node: the node that owns the subscriptions and publishers.
        name: CRTK name of the arm, e.g. ``PSM1``.
        callbacks: what the caller wants to be told.
        efforts: whether the arm's state is to have the joints' efforts.
        require_hold: whether an arm without CRTK `hold` is refused; else it is frozen.

    Raises:
        UserError: the back-end is dvrk and the dvrk-python API cannot be imported.
    """
    kinds: dict[str, Callable[..., Arm]] = {"crtk": CrtkArm, "dvrk": DvrkArm}
    freeze = None if require_hold else Freeze(node, name)
    return kinds[backend](node, name, callbacks, efforts=efforts, freeze=freeze)
