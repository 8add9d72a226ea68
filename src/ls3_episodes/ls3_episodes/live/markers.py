"""Plan, workspace box and goal as shapes in the arm's frame, for RViz and Foxglove. No ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from std_msgs.msg import Header
    from visualization_msgs.msg import MarkerArray

Point3 = tuple[float, float, float]
"""x, y and z in the arm's frame, m."""
PLAN, STEPS, BOX, GOAL, WORDS = range(5)
"""Numbers of the shapes."""
LINE_M, DOT_M, GOAL_M, LETTER_M = 0.001, 0.003, 0.006, 0.008
"""Widths of lines and dots and the height of letters, m; a step is a centimetre."""
YELLOW, GREEN = (1.0, 0.84, 0.29), (0.25, 0.73, 0.42)
RED, AMBER = (0.94, 0.33, 0.31), (0.89, 0.65, 0.18)
LIFE_S = 2
"""Seconds after which RViz takes a marker away that is not sent anew."""


@dataclass(frozen=True)
class Shape:
    """One marker: what is not named in a list of shapes is to be taken away.

    number: one of the numbers above. kind: LINE_STRIP, SPHERE_LIST or TEXT_VIEW_FACING, as in
    visualization_msgs/Marker. size: width of lines, dots or height of letters, m.
    """

    number: int
    kind: str
    points: Sequence[Point3]
    size: float
    colour: tuple[float, float, float]
    text: str = ""


def shapes(
    tip: Point3 | None,
    steps: np.ndarray,
    *,
    box: tuple[Sequence[float], Sequence[float]] | None,
    goal: Point3 | None,
    words: str,
) -> list[Shape]:
    """Return the shapes of one control step.

    Args:
        tip: where the plan begins; None if unknown.
        steps: planned displacements (horizon, 2), m; empty without a plan.
        box: lower and upper corner (x, y) of the workspace, m; None if unknown.
        goal: where the arm is sent; None if nowhere yet.
        words: why the arm holds; empty if it does not.
    """
    found = []
    height = tip[2] if tip is not None else goal[2] if goal is not None else 0.0
    if tip is not None and len(steps):
        path = np.cumsum(np.vstack([tip[:2], steps]), axis=0)
        points = [(float(x), float(y), height) for x, y in path]
        found.append(Shape(PLAN, "LINE_STRIP", points, LINE_M, YELLOW))
        found.append(Shape(STEPS, "SPHERE_LIST", points, DOT_M, YELLOW))
    if box is not None:
        (x0, y0), (x1, y1) = box
        corners = [(x0, y0, height), (x1, y0, height), (x1, y1, height), (x0, y1, height)]
        found.append(Shape(BOX, "LINE_STRIP", [*corners, corners[0]], LINE_M, GREEN))
    if goal is not None:
        found.append(Shape(GOAL, "SPHERE_LIST", [goal], GOAL_M, RED))
    if words and tip is not None:
        found.append(
            Shape(
                WORDS, "TEXT_VIEW_FACING", [(tip[0], tip[1], height + 0.01)], LETTER_M, AMBER, words
            )
        )
    return found


def to_message(found: Sequence[Shape], header: Header) -> MarkerArray:
    """Make the message that shows these shapes and no other."""
    from builtin_interfaces.msg import Duration
    from geometry_msgs.msg import Point
    from std_msgs.msg import ColorRGBA
    from visualization_msgs.msg import Marker, MarkerArray

    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for shape in found:
        marker = Marker(header=header, ns="ls3", id=shape.number, text=shape.text)
        marker.type = getattr(Marker, shape.kind)
        marker.lifetime = Duration(sec=LIFE_S)
        marker.pose.orientation.w = 1.0
        marker.scale.x = marker.scale.y = marker.scale.z = shape.size
        red, green, blue = shape.colour
        marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        points = [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in shape.points]
        if marker.type == Marker.TEXT_VIEW_FACING:
            marker.pose.position = points[0]
        else:
            marker.points = points
        markers.append(marker)
    return MarkerArray(markers=markers)
