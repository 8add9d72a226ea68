"""Quality of service: the few profiles with which all topics are published and subscribed to.

A subscription matches a publisher only if the subscription asks for no more than the publisher
offers. A best-effort subscription matches every publisher; a latched subscription matches latched
publishers only.
"""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""For commands, plans and answers, of which none may be lost. Publishers offer this profile also
where some subscriptions are reliable and others are not."""

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For subscriptions to frames, where the next frame replaces a lost one, and to topics of other
projects, as some cameras offer no more. Ten messages are kept, so that a process that was not
scheduled for a third of a second loses no frame at 30 Hz."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""For streams of which only the newest message matters: poses, joint states, the clock."""

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""For states: a late subscriber receives the present state."""

CHANGES = QoSProfile(
    depth=20,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""For the history of a state, of which every change matters to a recorder: a short motion begins
and ends within one turn of the executor. A late subscriber receives the last changes in their
order. No present state is published like this: `ros2 topic echo --once` would print the oldest."""

OBSERVER = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For an observer that must not disturb the graph: its subscriptions match every publisher, delay
none, and keep 1000 messages while the observer is busy."""


def matching(offered: Iterable[QoSProfile], depth: int) -> QoSProfile:
    """Return the most reliable profile that matches every publisher of a topic.

    Args:
        offered: the profiles of the publishers.
        depth: messages that wait while the subscriber is busy.
    """
    profiles = list(offered)
    reliable = all(one.reliability == ReliabilityPolicy.RELIABLE for one in profiles)
    latched = all(one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in profiles)
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy["RELIABLE" if reliable else "BEST_EFFORT"],
        durability=DurabilityPolicy["TRANSIENT_LOCAL" if latched else "VOLATILE"],
    )
