"""`LS3/CableRouting-v0`: guide a cable round an obstacle to a goal disc (paper, 5.3 and 7.3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation import SegmentationConfig, segment_cable
from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.cable_behaviours import make_behaviour
from ls3_sim.cable_model import LINKS
from ls3_sim.cable_scene import CableLayout, CableScene
from ls3_sim.domain_env import DomainEnv
from ls3_sim.variations import CableVariations, EpisodeDraws
from ls3_sim.viewer import Viewer

RANDOM_BEND = 0.08
"""Standard deviation of the hinge angles of a random start, rad."""


class CableEnv(DomainEnv[CableScene]):
    """Cable routing as a gymnasium environment.

    Observation: mask of the cable, uint8 (height, width, 1), of the domain's image size.
    Action: displacement (dx, dy) of the tool, m. The tool moves straight, then the cable settles.
    Info: `tool_xy` (2,), m, beside `success` and `constraint`.
    A random start puts tool and cable at a random free place in the camera's view.

    Args:
        render_mode: as in `DomainEnv`.
        layout: positions and sizes; by default those of `CableLayout`.
        domain: facts of the domain; by default the installed file's.
        variations: values of `CableVariations` by name; without any, every episode starts in the
            same state.
    """

    channels = 1
    variations_class = CableVariations

    def __init__(
        self,
        render_mode: str | None = None,
        layout: CableLayout | None = None,
        domain: DomainSpec | None = None,
        **variations: Any,
    ) -> None:
        scene = CableScene(layout or CableLayout())
        super().__init__(domain or load_spec("cable_routing"), scene, render_mode, variations)
        self._segmentation = SegmentationConfig(mask_size=self.domain.image_size)

    def _make_behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, self.domain.largest_action, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool, draws: EpisodeDraws) -> None:
        scene, rng = self.scene, self.np_random
        scene.begin(rng, self.variations, draws)
        low, high = scene.layout.workspace_low, scene.layout.workspace_high
        if anywhere:
            draws.drawn.pop("start_jitter", None)  # another start replaces it
        fits = not anywhere
        while not fits:  # about a quarter of the draws fit
            scene.reset(
                rng.uniform(low, high),
                rng.uniform(-np.pi, np.pi),
                rng.normal(0, RANDOM_BEND, LINKS),
            )
            fits = not scene.violated and np.abs(scene.cable()).max() < scene.half_view

    def _focus(self) -> NDArray[np.float64]:
        return self.scene.in_picture(self.scene.cable())

    def _act(self, action: NDArray[np.float64]) -> None:
        begin = self.scene.setpoint
        goal = self.scene.clip(begin + action)
        self.scene.move(self.scene.end_of_motion(begin, goal, self.disturbance.gain))

    def _observe(self) -> NDArray[np.uint8]:
        return segment_cable(super()._observe(), self._segmentation)[:, :, None]

    def _state(self) -> dict[str, Any]:
        return {"tool_xy": self.scene.tool}
