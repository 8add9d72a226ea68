"""Two stacks in one ROS domain would answer each other's questions: see it and say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ls3_common import topics

if TYPE_CHECKING:
    from rclpy.node import Node

EXCLUSIVE = (
    topics.STEP_REQUEST,
    topics.MASK,
    topics.LATENT,
    topics.PLAN,
    topics.ARM_COMMAND,
    topics.TASK_STATE,
)
"""Topics on which a second publisher means a second stack."""


def clash(node: Node, names: Iterable[str]) -> str:
    """Why this domain is not ours alone; empty when each topic has at most one publisher."""
    for topic in names:
        infos = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
        if len(infos) > 1:
            nodes = sorted({info.node_name for info in infos})
            return (
                f"{len(infos)} publishers of '{topic}' ({', '.join(nodes)}): another stack runs in "
                "this ROS domain; stop it, or set another ROS_DOMAIN_ID for this one"
            )
    return ""
