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
from ls3_sim.variations import EpisodeDraws, NavigationVariations
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
        domain: facts of the domain; by default the installed file's.
        variations: values of `NavigationVariations` by name. The paper's start is fixed; the
            authors' code has a start_jitter of 1.
    """

    random_starts = ("random", "constraint")
    variations_class = NavigationVariations

    def __init__(
        self,
        render_mode: str | None = None,
        layout: NavigationLayout | None = None,
        domain: DomainSpec | None = None,
        **variations: Any,
    ) -> None:
        scene = NavigationScene(layout or NavigationLayout())
        super().__init__(domain or load_spec("navigation"), scene, render_mode, variations)

    def _make_behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, self.domain.largest_action, rng)

    def _open_window(self) -> ImageViewer:
        return ImageViewer(self.domain.environment, self.scene.render)

    def _begin(self, anywhere: bool, draws: EpisodeDraws) -> None:
        offset = self.variations.obstacle_offset
        self.scene.move_obstacle(draws.within("obstacle_offset", offset, 2))
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        else:
            jitter = self.np_random.normal(0, self.variations.start_jitter, 2)
            self.scene.reset(np.array(self.scene.layout.start) + jitter)
            if self.variations.start_jitter:
                draws.note("start_jitter", self.scene.position)

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(self.disturbance.gain * action, self.np_random)

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.position.copy()}
