"""Quality of service: the few profiles with which all topics are published and subscribed to.

A subscription matches a publisher only if it asks for no more than the publisher offers: a
best-effort reader matches everybody, a latched reader matches latched publishers only.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""Commands, plans and answers, of which none may be lost; also what publishers offer to readers
that may be reliable or not."""

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Readers of frames, where the next frame replaces a lost one, and of whatever others publish: some
cameras offer no more. Ten messages are kept: a process that did not run for a third of a second
loses no frame at 30 Hz."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Streams of which only the newest message matters: poses, joint states, the clock."""

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""States: a late subscriber receives the present state."""

CHANGES = QoSProfile(
    depth=20,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""States of which every change matters: a short motion begins and ends within one turn of the
executor, and a recorder may be busy. A late subscriber receives the last changes in their order,
the present state last."""

OBSERVER = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
"""A silent observer's subscriptions: they match every publisher, hold no publisher up, and keep
everything while the observer is busy."""
