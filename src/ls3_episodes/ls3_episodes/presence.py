"""Checks that every node of the graph is there, and that none is there twice.

Two stacks in one ROS domain would answer each other's requests.
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


def find_conflict(node: Node) -> str:
    """Return which topic has several publishers, and thus a second stack; empty if none has."""
    for topic in EXCLUSIVE:
        infos = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
        if len(infos) > 1:
            nodes = sorted({info.node_name for info in infos})
            return (
                f"{len(infos)} publishers of '{topic}' ({', '.join(nodes)}): another stack runs in "
                "this ROS domain; stop it, or set another ROS_DOMAIN_ID for this one"
            )
    return ""


def find_missing(node: Node) -> str:
    """Return which part of the graph is missing; empty if none is."""
    if not node.count_subscribers(topics.STEP_REQUEST):
        return f"subscriber of {topics.STEP_REQUEST}"
    for topic in (*EXCLUSIVE, topics.MOTION_STATE):
        # resolved, because rclpy counts the given name without a launch file's remappings
        if not node.count_publishers(node.resolve_topic_name(topic)):
            return f"publisher of {topic}"
    return ""
