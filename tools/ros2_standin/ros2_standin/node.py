"""The node that a command of its own joins the graph with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ros2_standin import StandinError

if TYPE_CHECKING:
    from rclpy.node import Node


@contextmanager
def own_node(name: str, *, sim_time: bool = False) -> Iterator[Node]:
    """Create a node for the time of a command.

    Args:
        name: name of the node.
        sim_time: whether the node follows /clock.

    Raises:
        StandinError: rclpy cannot be imported, or the graph cannot be joined.
    """
    try:
        import rclpy
        from rclpy.parameter import Parameter
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        raise StandinError(f"rclpy cannot be imported: {error}") from None
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # e.g. an invalid ROS_DOMAIN_ID
        raise StandinError(f"cannot join the ROS graph: {error}") from error
    node = rclpy.create_node(
        name,
        start_parameter_services=False,
        enable_rosout=False,
        parameter_overrides=[Parameter("use_sim_time", value=sim_time)],
    )
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
