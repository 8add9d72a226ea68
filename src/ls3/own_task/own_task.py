"""A task of one's own: a bar is carried past a post and turned upright at its place.

The state is (x, y, angle), and an action changes all three. The picture is all that LS3 sees. This
file needs gymnasium and NumPy; LS3 finds the task by the id at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SIZE = 64  # px, the side of the picture, which shows the square [0, 1] x [0, 1]
HALF_LENGTH, HALF_WIDTH = 0.11, 0.03  # of the bar
POST, POST_RADIUS = np.array([0.5, 0.5]), 0.07
GOAL = np.array([0.82, 0.5, np.pi / 2])
TOLERANCE = np.array([0.07, 0.09, 0.35])
STEP = np.array([0.08, 0.08, 0.3])  # largest action: (dx, dy, turn)


class OwnTask(gymnasium.Env[np.ndarray, np.ndarray]):
    """Carry the bar to the right, past the post, and turn it upright."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        bound = STEP.astype(np.float32)
        self.action_space = spaces.Box(-bound, bound, dtype=np.float32)
        self._state = np.zeros(3)
        self._touched = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Put the bar at the left, lying. All randomness is `self.np_random`'s."""
        super().reset(seed=seed)
        spread = np.array([0.03, 0.1, 0.2])
        self._state = np.array([0.18, 0.5, 0.0]) + self.np_random.uniform(-spread, spread)
        self._touched = False
        return self._picture(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move the bar, unless it has touched the post: then it stays there."""
        if not self._touched:
            moved = self._state + np.clip(action, -STEP, STEP)
            self._state = np.clip(moved, [0.1, 0.1, -np.pi], [0.9, 0.9, np.pi])
            self._touched = self._distance_to_post() < POST_RADIUS
        info = self._info()
        return self._picture(), 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(
        self, kind: str, rng: np.random.Generator
    ) -> Callable[[Mapping[str, Any]], np.ndarray]:
        """Return the policy that collects data: from `info`, the action of one step."""
        if kind == "demonstration":
            return self._demonstrator(rng)
        if kind == "constraint":
            return self._into_the_post(rng)
        return lambda _info: rng.uniform(-STEP, STEP)

    def render(self) -> np.ndarray:
        """Return the picture for the film."""
        return self._picture()

    def _demonstrator(self, rng: np.random.Generator) -> Callable[[Mapping[str, Any]], np.ndarray]:
        """First to a place above or below the post, then to the goal."""
        places: list[np.ndarray] = []  # found at the first step: the episode begins after this call

        def act(_info: Mapping[str, Any]) -> np.ndarray:
            if not places:
                side = 0.82 if self._state[1] > POST[1] else 0.18
                places.extend([GOAL, np.array([rng.uniform(0.5, 0.6), side, rng.uniform(0, 1)])])
            if len(places) > 1 and np.abs(self._state - places[-1])[:2].max() < 0.06:
                places.pop()
            return self._towards(places[-1], 0.01, rng)

        return act

    def _into_the_post(self, rng: np.random.Generator) -> Callable[[Mapping[str, Any]], np.ndarray]:
        """The demonstrator's way for some steps, and then into the post, from whichever side."""
        demonstrate, left = self._demonstrator(rng), int(rng.integers(0, 10))

        def act(info: Mapping[str, Any]) -> np.ndarray:
            nonlocal left
            left -= 1
            on_the_way = demonstrate(info)
            return on_the_way if left >= 0 else self._towards(np.array([*POST, 0.5]), 0.02, rng)

        return act

    def _towards(self, target: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
        gap = target - self._state
        slower = 0.8 * gap / max(1.0, float(np.abs(gap / STEP).max()))
        return np.clip(slower + rng.normal(0, noise, 3), -STEP, STEP)

    def _distance_to_post(self) -> float:
        """Distance between the post's centre and the bar's middle line."""
        along = np.array([np.cos(self._state[2]), np.sin(self._state[2])])
        offset = POST - self._state[:2]
        nearest = np.clip(offset @ along, -HALF_LENGTH, HALF_LENGTH) * along
        return float(np.linalg.norm(offset - nearest)) - HALF_WIDTH

    def _info(self) -> dict[str, Any]:
        """Say whether the goal is reached and whether a constraint is violated: LS3's labels."""
        at_goal = bool((np.abs(self._state - GOAL) < TOLERANCE).all())
        return {"success": at_goal and not self._touched, "constraint": self._touched}

    def _picture(self) -> np.ndarray:
        y, x = (np.mgrid[0:SIZE, 0:SIZE] + 0.5) / SIZE
        picture = np.full((SIZE, SIZE, 3), 30, np.uint8)
        goal = (np.abs(x - GOAL[0]) < HALF_WIDTH + 0.03) & (np.abs(y - GOAL[1]) < 0.17)
        picture[goal] = (40, 110, 40)
        picture[np.hypot(x - POST[0], y - POST[1]) < POST_RADIUS] = (200, 60, 60)
        cos, sin = np.cos(self._state[2]), np.sin(self._state[2])
        right, down = x - self._state[0], y - self._state[1]
        along, across = right * cos + down * sin, down * cos - right * sin
        bar = (np.abs(along) < HALF_LENGTH) & (np.abs(across) < HALF_WIDTH)
        picture[bar] = (90, 150, 255)
        return picture


gymnasium.register("OwnTask-v0", entry_point=OwnTask)
