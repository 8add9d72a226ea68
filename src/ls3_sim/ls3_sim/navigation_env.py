"""`LS3/Navigation-v0`: steer a point round an obstacle to a goal (sections 5.3, 7.3.1)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ls3_sim.behaviours import BEHAVIOURS, Behaviour
from ls3_sim.navigation_behaviours import make_behaviour
from ls3_sim.navigation_scene import NavigationLayout, NavigationScene
from ls3_sim.viewer import ImageViewer

MAX_STEP = 3.0  # per axis and step
IMAGE_SIZE = 64
RENDERED = (360, 300)  # width, height of `render`


class NavigationEnv(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """Observation: uint8 (64, 64, 3), the window without the goal. Action: (dx, dy), at most 3.

    Reward 0 in the goal set and -1 elsewhere. After a violation the point is frozen until the
    horizon. Nothing ends an episode early; T is the registered time limit. `info` holds
    `success`, `constraint` and `position` (x, y).

    Args:
        start_jitter: standard deviation per axis of the start; the paper's is fixed, the authors'
            code has 1.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}
    behaviours = BEHAVIOURS
    random_starts = ("random", "constraint")
    """Behaviours whose episodes begin with the reset option `random_start`."""

    def __init__(
        self,
        render_mode: str | None = None,
        layout: NavigationLayout | None = None,
        start_jitter: float = 0.0,
    ) -> None:
        self.render_mode = render_mode
        self.start_jitter = start_jitter
        self.scene = NavigationScene(layout or NavigationLayout())
        self.observation_space = spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        self.action_space = spaces.Box(-MAX_STEP, MAX_STEP, (2,), np.float32)
        self._viewer: ImageViewer | None = None
        if render_mode == "human":
            self._viewer = ImageViewer("LS3/Navigation-v0", *RENDERED)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start over; ``options={"random_start": True}`` puts the point anywhere free."""
        super().reset(seed=seed)
        if options and options.get("random_start"):
            self.scene.reset_anywhere(self.np_random)
        else:
            jitter = self.np_random.normal(0, self.start_jitter, 2)
            self.scene.reset(np.array(self.scene.layout.start) + jitter)
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Move the point by `action`, bounded by the action space, and noise."""
        asked = np.clip(np.asarray(action, np.float64), -MAX_STEP, MAX_STEP)
        self.scene.move(asked, self.np_random)
        info = self._info()
        return self._observe(), 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """A policy that collects data, for one episode: see `BEHAVIOURS`."""
        return make_behaviour(kind, self.scene.layout, MAX_STEP, rng)

    def render(self) -> NDArray[np.uint8] | None:
        """The window with the goal, uint8 (300, 360, 3); None in mode `human`, which shows it."""
        return None if self._viewer is not None else self._picture()

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()

    def _picture(self) -> NDArray[np.uint8]:
        return self.scene.draw(*RENDERED, show_goal=True)

    def _observe(self) -> NDArray[np.uint8]:
        if self._viewer is not None:
            self._viewer.show(self._picture())
        return self.scene.draw(IMAGE_SIZE, IMAGE_SIZE, show_goal=False)

    def _info(self) -> dict[str, Any]:
        return {
            "success": self.scene.at_goal,
            "constraint": self.scene.violated,
            "position": self.scene.position.copy(),
        }
