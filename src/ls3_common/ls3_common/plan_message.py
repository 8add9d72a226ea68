"""Plans that no planner made: a person's, a script's, the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ls3_common.ros import to_time
from ls3_interfaces.msg import Plan

NOBODY = math.nan  # estimated it


def unplanned(episode: int, step: int, stamp: int, action: Sequence[float]) -> Plan:
    """A plan of one step by `action` (dx, dy) in m, resting on the frame of `stamp` (ns)."""
    plan = Plan(
        episode=episode,
        step=step,
        feasible=True,
        action=list(action),
        action_sequence=list(action),
        safe_probability=NOBODY,
        constraint_probability=NOBODY,
        value=NOBODY,
        delta_safe=NOBODY,
    )
    plan.header.stamp = to_time(stamp)
    return plan
