"""`LS3/SequentialPushing-v0`: push three blocks, none off the table (sections 5.3, 7.3.3)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ls3_sim.behaviours import BEHAVIOURS, Behaviour
from ls3_sim.pushing_behaviours import make_behaviour
from ls3_sim.pushing_scene import IMAGE_SIZE, PushingLayout, PushingScene
from ls3_sim.viewer import Viewer

MAX_STEP = 0.05  # metres per axis and step


class PushingEnv(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """Observation: uint8 (64, 64, 3), the table. Action: (dx, dy) of the effector, at most 0.05 m.

    Reward 0 in the goal set, which is all blocks in the goal at once, and -1 elsewhere. After a
    violation, which is a block off the table, everything is frozen until the horizon. Nothing ends
    an episode early; T is the registered time limit. `info` holds `success`, `constraint`,
    `position` (2,) of the effector and `blocks` (3, 3), all in metres.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}
    behaviours = BEHAVIOURS
    random_starts: tuple[str, ...] = ()
    """Behaviours whose episodes begin elsewhere: none, section 7.3.3 has one start."""

    def __init__(self, render_mode: str | None = None, layout: PushingLayout | None = None) -> None:
        self.render_mode = render_mode
        self.scene = PushingScene(layout or PushingLayout())
        self.observation_space = spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        self.action_space = spaces.Box(-MAX_STEP, MAX_STEP, (2,), np.float32)
        self._viewer = Viewer(self.scene) if render_mode == "human" else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start over, always in the same state; there are no options."""
        super().reset(seed=seed)
        self.scene.reset()
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Move the effector by `action`, bounded by the action space, let the blocks settle."""
        self.scene.move(np.clip(np.asarray(action, np.float64), -MAX_STEP, MAX_STEP))
        info = self._info()
        return self._observe(), 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """A policy that collects data, for one episode: see `BEHAVIOURS`."""
        return make_behaviour(kind, self.scene.layout, MAX_STEP, rng)

    def render(self) -> NDArray[np.uint8] | None:
        """Table and goal, uint8 (384, 384, 3); None in mode `human`, whose window is live."""
        return None if self._viewer is not None else self.scene.render()

    def close(self) -> None:
        """Release window and renderers; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()
        self.scene.close()

    def _observe(self) -> NDArray[np.uint8]:
        if self._viewer is not None:
            self._viewer.sync()
        return self.scene.observe()

    def _info(self) -> dict[str, Any]:
        return {
            "success": self.scene.at_goal,
            "constraint": self.scene.violated,
            "position": self.scene.effector,
            "blocks": self.scene.blocks,
        }
