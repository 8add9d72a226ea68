"""Plan messages that come from a person, a script or the return to the start, not a planner."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ls3_common.ros import to_time
from ls3_interfaces.msg import Plan

NOT_ESTIMATED = math.nan


def unplanned(episode: int, step: int, stamp: int, action: Sequence[float]) -> Plan:
    """Make a plan of one step without a planner's estimates, which are NaN.

    Args:
        episode: number of the episode.
        step: number of the step in the episode.
        stamp: stamp of the camera frame that the step rests on (ns).
        action: displacement (dx, dy) of the tip (m).
    """
    plan = Plan(
        episode=episode,
        step=step,
        feasible=True,
        action=list(action),
        action_sequence=list(action),
        safe_probability=NOT_ESTIMATED,
        constraint_probability=NOT_ESTIMATED,
        value=NOT_ESTIMATED,
        delta_safe=NOT_ESTIMATED,
    )
    plan.header.stamp = to_time(stamp)
    return plan
