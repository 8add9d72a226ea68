"""Navigation: a point robot in a window with an obstacle and a goal (paper, section 7.3.1).

Lengths are in the paper's units; the window is 180 x 150 units. Arrays are (x, y) with y downwards
as in an image, so north is towards smaller y.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from ls3_common.parameters import parameter
from ls3_sim.pictures import Change, Image, halved

Vector = NDArray[np.float64]

# colours of the paper's figure 3
BACKGROUND, OBSTACLE, GOAL, ROBOT = (0, 0, 0), (255, 0, 0), (0, 160, 0), (0, 0, 255)
RENDERED = (360, 300)
"""Width and height of the pictures of `render`, px."""


@dataclasses.dataclass(frozen=True)
class NavigationLayout:
    """Positions (x, y) and sizes in the window's units, of which the window has 180 x 150.

    Start, goal and noise are the paper's, the rest the authors' code's.
    """

    window: tuple[float, ...] = parameter(
        (180.0, 150.0), description="Width and height of the window"
    )
    start: tuple[float, ...] = parameter((30.0, 75.0), description="Start state s_0")
    goal: tuple[float, ...] = parameter((150.0, 75.0), description="Centre of the goal set")
    goal_radius: float = parameter(3.0, description="Radius of the goal set", low=0.1)
    obstacle_low: tuple[float, ...] = parameter(
        (75.0, 55.0), description="Corner of the obstacle with the smallest x and y"
    )
    obstacle_high: tuple[float, ...] = parameter(
        (100.0, 95.0), description="Corner of the obstacle with the largest x and y"
    )
    noise: float = parameter(
        0.125, description="sigma, standard deviation of the noise per axis and step", low=0
    )
    robot_radius: float = parameter(
        10.0, description="Radius of the disc that is drawn for the robot", low=1
    )


class NavigationScene:
    """A single integrator with Gaussian noise. The robot is a point; the disc is only drawn.

    Inside the obstacle the point stays where it is until the next reset.

    position: of the point, float64 (2,). layout: positions and sizes; `move_obstacle` changes them.
    """

    def __init__(self, layout: NavigationLayout = NavigationLayout()) -> None:
        self.layout = self._given = layout
        self.position: Vector = np.array(layout.start)

    @property
    def violated(self) -> bool:
        """Whether the point is inside the obstacle, without the obstacle's edge."""
        low, high = self.layout.obstacle_low, self.layout.obstacle_high
        return bool(np.all(self.position > low) and np.all(self.position < high))

    @property
    def at_goal(self) -> bool:
        """Whether the point is in the goal set, the ball B_2(goal, goal_radius)."""
        gap = self.position - self.layout.goal
        return bool(np.linalg.norm(gap) <= self.layout.goal_radius)

    def move_obstacle(self, offset: Vector) -> None:
        """Put the obstacle `offset` (2,), in the window's units, away from its given place."""
        given = self._given
        low, high = (
            tuple((corner + offset).tolist())
            for corner in (given.obstacle_low, given.obstacle_high)
        )
        self.layout = dataclasses.replace(given, obstacle_low=low, obstacle_high=high)

    def reset(self, position: Vector | None = None) -> None:
        """Put the point at `position` (2,), by default at the start, bounded by the window."""
        self.position = self._bounded(np.array(self.layout.start if position is None else position))

    def reset_anywhere(self, rng: np.random.Generator) -> None:
        """Put the point at a uniformly random position in the window outside the obstacle."""
        while True:
            self.reset(rng.uniform((0.0, 0.0), self.layout.window))
            if not self.violated:
                return

    def move(self, action: Vector, rng: np.random.Generator) -> None:
        """Take one step: s' = s + a + N(0, sigma^2 I), bounded by the window; `action` is (2,)."""
        if not self.violated:
            noise = rng.normal(0, self.layout.noise, 2)
            self.position = self._bounded(self.position + action + noise)

    def _bounded(self, position: Vector) -> Vector:
        return np.clip(position, 0.0, self.layout.window)

    def draw(self, width: int, height: int, *, show_goal: bool) -> Image:
        """Draw the whole window, uint8 (height, width, 3).

        Edges are anti-aliased, so that the picture shows motions of a fraction of a pixel.
        """
        canvas = _canvas(self.layout, width, height, show_goal)
        disc = _disc(self.layout, width, height, self.position, self.layout.robot_radius)
        return np.rint(_blend(canvas, disc, ROBOT)).astype(np.uint8)

    def observe(self, size: int, change: Change | None = None) -> Image:
        """Draw the window without the goal, uint8 (size, size, 3).

        change: is applied at twice the size, before averaging.
        """
        if change is None:
            return self.draw(size, size, show_goal=False)
        return halved(change(self.draw(2 * size, 2 * size, show_goal=False)))

    def render(self) -> Image:
        """Draw the window with the goal, uint8 (300, 360, 3)."""
        return self.draw(*RENDERED, show_goal=True)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _centres(layout: NavigationLayout, width: int, height: int) -> tuple[Vector, Vector, Vector]:
    """Size (x, y) of a pixel, and coordinates (width,), (height,) of the pixels' centres."""
    pixel = np.array(layout.window) / (width, height)
    return pixel, (np.arange(width) + 0.5) * pixel[0], (np.arange(height) + 0.5) * pixel[1]


def _disc(
    layout: NavigationLayout, width: int, height: int, centre: Vector, radius: float
) -> Vector:
    """Share of each pixel that a disc covers, (height, width), accurate to a few hundredths."""
    pixel, x, y = _centres(layout, width, height)
    distance = np.hypot((y - centre[1])[:, None], x - centre[0])
    return np.clip((radius - distance) / pixel.mean() + 0.5, 0.0, 1.0)


def _blend(canvas: Vector, share: Vector, colour: tuple[int, int, int]) -> Vector:
    return canvas + share[:, :, None] * (np.array(colour) - canvas)


@functools.lru_cache(maxsize=8)
def _canvas(layout: NavigationLayout, width: int, height: int, show_goal: bool) -> Vector:
    """Background, obstacle and, if asked for, goal: float64 (height, width, 3)."""
    canvas: Vector = np.full((height, width, 3), BACKGROUND, np.float64)
    pixel, x, y = _centres(layout, width, height)
    overlap = []
    for axis, centres in enumerate((x, y)):
        low, high = layout.obstacle_low[axis], layout.obstacle_high[axis]
        half = pixel[axis] / 2
        inside = np.minimum(centres + half, high) - np.maximum(centres - half, low)
        overlap.append(np.clip(inside / pixel[axis], 0.0, 1.0))
    canvas = _blend(canvas, np.outer(overlap[1], overlap[0]), OBSTACLE)
    if show_goal:
        goal = _disc(layout, width, height, np.array(layout.goal), layout.goal_radius)
        canvas = _blend(canvas, goal, GOAL)
    return canvas
