"""`LS3/CableRouting-v0`: guide a cable into a goal disc round an obstacle (sections 5.3, 7.3.4)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dvrk_cable_env.segmentation import SegmentationConfig, segment_cable
from ls3_sim.behaviours import BEHAVIOURS, Behaviour
from ls3_sim.cable_behaviours import make_behaviour
from ls3_sim.cable_scene import LINKS, CableLayout, CableScene
from ls3_sim.viewer import Viewer

MAX_STEP = 0.015  # metres per axis and step
MASK_SIZE = SegmentationConfig().mask_size
RANDOM_BEND = 0.08  # radians, standard deviation of the hinge angles of a random start


class CableEnv(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """Observation: uint8 (64, 64, 1), the cable's mask. Action: (dx, dy) of the tool in metres.

    Reward 0 in the goal set and -1 elsewhere. After a violation the scene is frozen until the
    horizon. Nothing ends an episode early; T is the registered time limit. `info` holds
    `success`, `constraint` and `tool_xy` (metres).

    Args:
        start_jitter: standard deviation (radians) of the cable's hinge angles at reset; 0 starts
            every episode in the same state.
        domain_randomisation: draw friction, stiffness, camera, light and colours at every reset.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}
    behaviours = BEHAVIOURS

    def __init__(
        self,
        render_mode: str | None = None,
        layout: CableLayout | None = None,
        start_jitter: float = 0.0,
        domain_randomisation: bool = False,
    ) -> None:
        self.render_mode = render_mode
        self.start_jitter = start_jitter
        self.domain_randomisation = domain_randomisation
        self.scene = CableScene(layout or CableLayout())
        self.observation_space = spaces.Box(0, 255, (MASK_SIZE, MASK_SIZE, 1), np.uint8)
        self.action_space = spaces.Box(-MAX_STEP, MAX_STEP, (2,), np.float32)
        self._viewer = Viewer(self.scene) if render_mode == "human" else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start over; ``options={"random_start": True}`` puts tool and cable anywhere free."""
        super().reset(seed=seed)
        self.scene.begin(self.np_random, self.start_jitter, self.domain_randomisation)
        if options and options.get("random_start"):
            self._random_start()
        if self._viewer is not None:
            self._viewer.sync()
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Move the tool's setpoint by `action` in a straight line, let the cable settle, look."""
        asked = np.clip(np.asarray(action, np.float64), -MAX_STEP, MAX_STEP)
        self.scene.move(self.scene.clip(self.scene.setpoint + asked))
        if self._viewer is not None:
            self._viewer.sync()
        info = self._info()
        return self._observe(), 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """A policy that collects data, for one episode: see `BEHAVIOURS`."""
        return make_behaviour(kind, self.scene.layout, MAX_STEP, rng)

    def render(self) -> NDArray[np.uint8] | None:
        """The camera's frame, uint8 (128, 128, 3); None in mode `human`, whose window is live."""
        return None if self._viewer is not None else self.scene.render()

    def close(self) -> None:
        """Release window and renderer; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()
        self.scene.close()

    def _random_start(self) -> None:
        scene, rng = self.scene, self.np_random
        low, high = scene.layout.workspace_low, scene.layout.workspace_high
        while True:  # a quarter of the draws fits
            scene.reset(
                rng.uniform(low, high),
                rng.uniform(-np.pi, np.pi),
                rng.normal(0, RANDOM_BEND, LINKS),
            )
            if not scene.violated and np.abs(scene.cable()).max() < scene.half_view:
                return

    def _observe(self) -> NDArray[np.uint8]:
        return segment_cable(self.scene.render())[:, :, None]

    def _info(self) -> dict[str, Any]:
        return {
            "success": self.scene.at_goal(),
            "constraint": self.scene.violated,
            "tool_xy": self.scene.tool,
        }
