"""`LS3/Navigation-v0`: steer a point round an obstacle to a goal (sections 5.3, 7.3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.navigation_behaviours import make_behaviour
from ls3_sim.navigation_scene import NavigationLayout, NavigationScene
from ls3_sim.viewer import ImageViewer

MAX_STEP = 3.0  # per axis and step
IMAGE_SIZE = 64


class NavigationEnv(DomainEnv[NavigationScene]):
    """Observation: uint8 (64, 64, 3), the window without the goal. Action: (dx, dy), at most 3.

    Noise comes to it. `info` has `position` (x, y).

    Args:
        start_jitter: standard deviation per axis of the start; the paper's is fixed, the authors'
            code has 1.
    """

    random_starts = ("random", "constraint")

    def __init__(
        self,
        render_mode: str | None = None,
        layout: NavigationLayout | None = None,
        start_jitter: float = 0.0,
    ) -> None:
        self.start_jitter = start_jitter
        scene = NavigationScene(layout or NavigationLayout())
        shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
        super().__init__(scene, render_mode, largest_action=MAX_STEP, observation_shape=shape)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, MAX_STEP, rng)

    def _open_window(self) -> ImageViewer:
        return ImageViewer("LS3/Navigation-v0", self.scene.render)

    def _begin(self, anywhere: bool) -> None:
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        else:
            jitter = self.np_random.normal(0, self.start_jitter, 2)
            self.scene.reset(np.array(self.scene.layout.start) + jitter)

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(action, self.np_random)

    def _observe(self) -> NDArray[np.uint8]:
        return self.scene.draw(IMAGE_SIZE, IMAGE_SIZE, show_goal=False)

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.position.copy()}
