"""`LS3/CableRouting-v0`: guide a cable into a goal disc round an obstacle (sections 5.3, 7.3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation import SegmentationConfig, segment_cable
from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.cable_behaviours import make_behaviour
from ls3_sim.cable_scene import LINKS, CableLayout, CableScene
from ls3_sim.domain_env import DomainEnv
from ls3_sim.viewer import Viewer

RANDOM_BEND = 0.08  # radians, standard deviation of the hinge angles of a random start


class CableEnv(DomainEnv[CableScene]):
    """Observation: the cable's mask, one channel. Action: (dx, dy) of the tool in metres.

    It moves the tool's setpoint in a straight line; then the cable settles. `info` has `tool_xy`
    (metres). A random start puts tool and cable anywhere free and in view.

    Args:
        start_jitter: standard deviation (radians) of the cable's hinge angles at reset; 0 starts
            every episode in the same state.
        domain_randomisation: draw friction, stiffness, camera, light and colours at every reset.
        domain: by default the installed one.
    """

    channels = 1

    def __init__(
        self,
        render_mode: str | None = None,
        layout: CableLayout | None = None,
        start_jitter: float = 0.0,
        domain_randomisation: bool = False,
        domain: DomainSpec | None = None,
    ) -> None:
        self.start_jitter = start_jitter
        self.domain_randomisation = domain_randomisation
        scene = CableScene(layout or CableLayout())
        super().__init__(domain or load_spec("cable_routing"), scene, render_mode)
        self._segmentation = SegmentationConfig(mask_size=self.domain.image_size)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, self.scene.layout, self.domain.largest_action, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool) -> None:
        scene, rng = self.scene, self.np_random
        scene.begin(rng, self.start_jitter, self.domain_randomisation)
        low, high = scene.layout.workspace_low, scene.layout.workspace_high
        fits = not anywhere
        while not fits:  # a quarter of the draws does
            scene.reset(
                rng.uniform(low, high),
                rng.uniform(-np.pi, np.pi),
                rng.normal(0, RANDOM_BEND, LINKS),
            )
            fits = not scene.violated and np.abs(scene.cable()).max() < scene.half_view

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(self.scene.clip(self.scene.setpoint + action))

    def _observe(self) -> NDArray[np.uint8]:
        return segment_cable(self.scene.render(), self._segmentation)[:, :, None]

    def _state(self) -> dict[str, Any]:
        return {"tool_xy": self.scene.tool}
