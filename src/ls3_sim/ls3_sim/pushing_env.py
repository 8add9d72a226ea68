"""`LS3/SequentialPushing-v0`: push three blocks, none off the table (sections 5.3, 7.3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.pushing_behaviours import make_behaviour
from ls3_sim.pushing_scene import IMAGE_SIZE, PushingLayout, PushingScene
from ls3_sim.viewer import Viewer

MAX_STEP = 0.05  # metres per axis and step


class PushingEnv(DomainEnv[PushingScene]):
    """Observation: uint8 (64, 64, 3), the table. Action: (dx, dy) of the effector, at most 0.05 m.

    The goal set is all blocks in the goal at once, a violation is a block off the table. `info`
    has `position` (2,) of the effector and `blocks` (3, 3), all in metres. There is one start
    (section 7.3.3), for all behaviours.
    """

    def __init__(self, render_mode: str | None = None, layout: PushingLayout | None = None) -> None:
        scene = PushingScene(layout or PushingLayout())
        shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
        super().__init__(scene, render_mode, largest_action=MAX_STEP, observation_shape=shape)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, MAX_STEP, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool) -> None:
        self.scene.reset()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(action)

    def _observe(self) -> NDArray[np.uint8]:
        return self.scene.observe()

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.effector, "blocks": self.scene.blocks}
