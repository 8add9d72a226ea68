"""`LS3/Reacher-v0`: bring a two-link arm's finger to a target round a disc (5.3, 7.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_common.images import FrameStack
from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.reacher_behaviours import RANDOM_LENGTH, make_behaviour
from ls3_sim.reacher_scene import IMAGE_SIZE, ReacherLayout, ReacherScene
from ls3_sim.viewer import Viewer

FRAMES = 3  # stacked, Table 3; how many is the authors' code's
CONTROL_SCALE = 0.5
"""Share of the motors' range that an action of 1 asks for, as in the authors' code."""


class ReacherEnv(DomainEnv[ReacherScene]):
    """Observation: uint8 (64, 64, 9), the last three RGB frames, the oldest first.

    At reset the first frame stands for those before it. Action: a torque per joint for 0.02 s, in
    [-1, 1], where 1 is 0.025 N m. `info` has `position` (2,) of the finger in metres, `angles` (2,)
    and `velocities` (2,) of shoulder and wrist in rad and rad/s. A random start is at rest.
    """

    metadata = {**DomainEnv.metadata, "render_fps": 50}
    random_starts = ("random", "constraint")
    behaviour_lengths: Mapping[str, int] = {"random": RANDOM_LENGTH}

    def __init__(self, render_mode: str | None = None, layout: ReacherLayout | None = None) -> None:
        self._stack = FrameStack(FRAMES)
        scene = ReacherScene(layout or ReacherLayout())
        shape = (IMAGE_SIZE, IMAGE_SIZE, 3 * FRAMES)
        super().__init__(scene, render_mode, largest_action=1.0, observation_shape=shape)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool) -> None:
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        else:
            self.scene.reset()
        self._stack.clear()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(CONTROL_SCALE * action)

    def _observe(self) -> NDArray[np.uint8]:
        return self._stack.add(self.scene.observe())

    def _state(self) -> dict[str, Any]:
        return {
            "position": self.scene.finger,
            "angles": self.scene.angles,
            "velocities": self.scene.velocities,
        }
