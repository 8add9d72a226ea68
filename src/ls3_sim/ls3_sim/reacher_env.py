"""`LS3/Reacher-v0`: bring a two-link arm's finger to a target round a disc (5.3, 7.3.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ls3_sim.behaviours import BEHAVIOURS, Behaviour
from ls3_sim.reacher_behaviours import RANDOM_LENGTH, make_behaviour
from ls3_sim.reacher_scene import IMAGE_SIZE, ReacherLayout, ReacherScene
from ls3_sim.viewer import Viewer

FRAMES = 3  # stacked, Table 3; how many is the authors' code's
CONTROL_SCALE = 0.5
"""Share of the motors' range that an action of 1 asks for, as in the authors' code."""


class ReacherEnv(gymnasium.Env[NDArray[np.uint8], NDArray[np.float32]]):
    """Observation: uint8 (64, 64, 9), the last three RGB frames, the oldest first.

    At reset the first frame stands for those before it. Action: a torque per joint, in [-1, 1],
    where 1 is 0.025 N m. Reward 0 in the goal set and -1 elsewhere. After a violation the arm is
    frozen until the horizon. Nothing ends an episode early; T is the registered time limit.
    `info` holds `success`, `constraint`, `position` (2,) of the finger in metres, `angles` (2,)
    and `velocities` (2,) of shoulder and wrist in rad and rad/s.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 50}
    behaviours = BEHAVIOURS
    random_starts = ("random", "constraint")
    """Behaviours whose episodes begin with the reset option `random_start`."""
    behaviour_lengths: Mapping[str, int] = {"random": RANDOM_LENGTH}
    """Steps of the behaviours whose episodes are shorter than T."""

    def __init__(self, render_mode: str | None = None, layout: ReacherLayout | None = None) -> None:
        self.render_mode = render_mode
        self.scene = ReacherScene(layout or ReacherLayout())
        shape = (IMAGE_SIZE, IMAGE_SIZE, 3 * FRAMES)
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._frames: deque[NDArray[np.uint8]] = deque(maxlen=FRAMES)
        self._viewer = Viewer(self.scene) if render_mode == "human" else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start over; ``options={"random_start": True}`` puts the arm anywhere free, at rest."""
        super().reset(seed=seed)
        if options and options.get("random_start"):
            self.scene.reset_anywhere(self.np_random)
        else:
            self.scene.reset()
        self._frames.clear()
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Apply the torques of `action`, bounded by the action space, for 0.02 s."""
        self.scene.move(CONTROL_SCALE * np.clip(np.asarray(action, np.float64), -1.0, 1.0))
        info = self._info()
        return self._observe(), 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """A policy that collects data, for one episode: see `BEHAVIOURS`."""
        return make_behaviour(kind, rng)

    def render(self) -> NDArray[np.uint8] | None:
        """The camera's picture, uint8 (128, 128, 3); None in mode `human`, whose window is live."""
        return None if self._viewer is not None else self.scene.render()

    def close(self) -> None:
        """Release window and renderer; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()
        self.scene.close()

    def _observe(self) -> NDArray[np.uint8]:
        if self._viewer is not None:
            self._viewer.sync()
        frame = self.scene.observe()
        # after a reset the first frame fills the stack
        self._frames.extend([frame] * (1 if self._frames else FRAMES))
        return np.concatenate(self._frames, axis=-1)

    def _info(self) -> dict[str, Any]:
        return {
            "success": self.scene.at_goal,
            "constraint": self.scene.violated,
            "position": self.scene.finger,
            "angles": self.scene.angles,
            "velocities": self.scene.velocities,
        }
