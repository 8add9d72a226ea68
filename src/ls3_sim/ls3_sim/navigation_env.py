"""`LS3/Navigation-v0`: steer a point round an obstacle to a goal (paper, 5.3 and 7.3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.navigation_behaviours import make_behaviour
from ls3_sim.navigation_scene import NavigationLayout, NavigationScene
from ls3_sim.viewer import ImageViewer


class NavigationEnv(DomainEnv[NavigationScene]):
    """Navigation as a gymnasium environment.

    Observation: the window without the goal, uint8 (height, width, 3), of the domain's image size.
    Action: displacement (dx, dy) in the window's units, to which noise is added.
    Info: `position` (2,) in the window's units, beside `success` and `constraint`.
    A random start is anywhere outside the obstacle.

    Args:
        render_mode: as in `DomainEnv`.
        layout: positions and sizes; by default those of `NavigationLayout`.
        start_jitter: standard deviation of the start per axis, in the window's units. The paper's
            start is fixed; the authors' code uses 1.
        domain: facts of the domain; by default the installed file's.
    """

    random_starts = ("random", "constraint")

    def __init__(
        self,
        render_mode: str | None = None,
        layout: NavigationLayout | None = None,
        start_jitter: float = 0.0,
        domain: DomainSpec | None = None,
    ) -> None:
        self.start_jitter = start_jitter
        scene = NavigationScene(layout or NavigationLayout())
        super().__init__(domain or load_spec("navigation"), scene, render_mode)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """See `navigation_behaviours`."""
        return make_behaviour(kind, self.scene.layout, self.domain.largest_action, rng)

    def _open_window(self) -> ImageViewer:
        return ImageViewer(self.domain.environment, self.scene.render)

    def _begin(self, anywhere: bool) -> None:
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        else:
            jitter = self.np_random.normal(0, self.start_jitter, 2)
            self.scene.reset(np.array(self.scene.layout.start) + jitter)

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(action, self.np_random)

    def _observe(self) -> NDArray[np.uint8]:
        size = self.domain.image_size
        return self.scene.draw(size, size, show_goal=False)

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.position.copy()}
