"""Plan, workspace box and goal as shapes in the arm's frame, for RViz and Foxglove. No ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Point3 = tuple[float, float, float]
"""x, y and z in the arm's frame, m."""
PLAN, STEPS, BOX, GOAL, WORDS = range(5)
"""Numbers of the shapes."""
LINE_M, DOT_M, GOAL_M, LETTER_M = 0.001, 0.003, 0.006, 0.008
"""Widths of lines and dots and the height of letters, m; a step is a centimetre."""
YELLOW, GREEN, RED, AMBER = (1.0, 0.84, 0.29), (0.25, 0.73, 0.42), (0.94, 0.33, 0.31), (0.89, 0.65, 0.18)


@dataclass(frozen=True)
class Shape:
    """One marker: what is not named in a list of shapes is to be taken away.

    number: one of the numbers above. kind: LINE_STRIP, LINE_LIST, SPHERE_LIST or TEXT, as in
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
        found.append(Shape(WORDS, "TEXT", [(tip[0], tip[1], height + 0.01)], LETTER_M, AMBER, words))
    return found
