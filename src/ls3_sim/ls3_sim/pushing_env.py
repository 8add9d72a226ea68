"""`LS3/SequentialPushing-v0`: push three blocks, none off the table (paper, 5.3 and 7.3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.pushing_behaviours import make_behaviour
from ls3_sim.pushing_scene import PushingLayout, PushingScene
from ls3_sim.variations import EpisodeDraws, PushingVariations
from ls3_sim.viewer import Viewer


class PushingEnv(DomainEnv[PushingScene]):
    """Sequential pushing as a gymnasium environment.

    Observation: the table, uint8 (height, width, 3), of the domain's image size.
    Action: displacement (dx, dy) of the effector, m.
    Info: `position` (2,) of the effector and `blocks` (3, 3), their centres, m, beside `success`
    (all blocks are in the goal at once) and `constraint` (a block has fallen off the table).
    Without variations every episode starts in the same state (7.3.3), whatever the behaviour.

    Args:
        render_mode: as in `DomainEnv`.
        layout: positions and sizes; by default those of `PushingLayout`.
        domain: facts of the domain; by default the installed file's.
        variations: values of `PushingVariations` by name.
    """

    variations_class = PushingVariations

    def __init__(
        self,
        render_mode: str | None = None,
        layout: PushingLayout | None = None,
        domain: DomainSpec | None = None,
        **variations: Any,
    ) -> None:
        scene = PushingScene(layout or PushingLayout())
        super().__init__(domain or load_spec("pushing"), scene, render_mode, variations)

    def _make_behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        limit, missed = self.domain.largest_action, self.variations.missed_block
        return make_behaviour(kind, self.scene.layout, limit, rng, missed)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool, draws: EpisodeDraws) -> None:
        config = self.variations
        self.scene.scale_friction(draws.factor("friction", config.friction))
        if config.start_jitter:
            self.scene.reset_near_start(draws.stream("start_jitter"), config.start_jitter)
            places = [*self.scene.blocks[:, :2], self.scene.effector]
            draws.note("start_jitter", places)
        else:
            self.scene.reset()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(self.disturbance.gain * action)

    def _state(self) -> dict[str, Any]:
        return {"position": self.scene.effector, "blocks": self.scene.blocks}
