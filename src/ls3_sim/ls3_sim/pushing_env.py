"""`LS3/SequentialPushing-v0`: push three blocks, none off the table (sections 5.3, 7.3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.pushing_behaviours import make_behaviour
from ls3_sim.pushing_scene import PushingLayout, PushingScene
from ls3_sim.viewer import Viewer


class PushingEnv(DomainEnv[PushingScene]):
    """Observation: the table. Action: (dx, dy) of the effector in metres.

    The goal set is all blocks in the goal at once, a violation is a block off the table. `info`
    has `position` (2,) of the effector and `blocks` (3, 3), all in metres. There is one start
    (section 7.3.3), for all behaviours.
    """

    def __init__(
        self,
        render_mode: str | None = None,
        layout: PushingLayout | None = None,
        domain: DomainSpec | None = None,
    ) -> None:
        scene = PushingScene(layout or PushingLayout())
        super().__init__(domain or load_spec("pushing"), scene, render_mode)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, self.domain.largest_action, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool) -> None:
        self.scene.reset()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(action)

    def _observe(self) -> NDArray[np.uint8]:
        return self.scene.observe(self.domain.image_size)

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.effector, "blocks": self.scene.blocks}
