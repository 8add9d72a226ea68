"""Which nodes are there: none of the graph's may be missing, and none may be there twice.

Two stacks in one ROS domain would answer each other's questions.
"""

from __future__ import annotations

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


def clash(node: Node) -> str:
    """Why this domain is not ours alone; empty when each topic has at most one publisher."""
    for topic in EXCLUSIVE:
        infos = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
        if len(infos) > 1:
            nodes = sorted({info.node_name for info in infos})
            return (
                f"{len(infos)} publishers of '{topic}' ({', '.join(nodes)}): another stack runs in "
                "this ROS domain; stop it, or set another ROS_DOMAIN_ID for this one"
            )
    return ""


def absent(node: Node) -> str:
    """What of the graph is not there; a step asked of nobody would never be answered."""
    if not node.count_subscribers(topics.STEP_REQUEST):
        return f"subscriber of {topics.STEP_REQUEST}"
    for topic in (*EXCLUSIVE, topics.MOTION_STATE):
        # resolved: rclpy counts names as they are, without the remappings of a launch
        if not node.count_publishers(node.resolve_topic_name(topic)):
            return f"publisher of {topic}"
    return ""
