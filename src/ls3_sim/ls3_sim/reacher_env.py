"""`LS3/Reacher-v0`: bring a two-link arm's finger to a target round a disc (5.3, 7.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec, load_spec
from ls3_sim.behaviours import Behaviour
from ls3_sim.domain_env import DomainEnv
from ls3_sim.reacher_behaviours import RANDOM_LENGTH, make_behaviour
from ls3_sim.reacher_scene import ReacherLayout, ReacherScene
from ls3_sim.viewer import Viewer

CONTROL_SCALE = 0.5
"""Share of the motors' range that an action of 1 asks for, as in the authors' code."""


class ReacherEnv(DomainEnv[ReacherScene]):
    """Observation: the last RGB frames, as many as the domain stacks. Action: a torque per joint
    for 0.02 s, where 1 is 0.025 N m.

    `info` has `position` (2,) of the finger in metres, `angles` (2,)
    and `velocities` (2,) of shoulder and wrist in rad and rad/s. A random start is at rest.
    """

    metadata = {**DomainEnv.metadata, "render_fps": 50}
    random_starts = ("random", "constraint")
    behaviour_lengths: Mapping[str, int] = {"random": RANDOM_LENGTH}

    def __init__(
        self,
        render_mode: str | None = None,
        layout: ReacherLayout | None = None,
        domain: DomainSpec | None = None,
    ) -> None:
        scene = ReacherScene(layout or ReacherLayout())
        super().__init__(domain or load_spec("reacher"), scene, render_mode)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        return make_behaviour(kind, rng)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool) -> None:
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        else:
            self.scene.reset()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(CONTROL_SCALE * action)

    def _observe(self) -> NDArray[np.uint8]:
        return self.scene.observe(self.domain.image_size)

    def _state(self) -> dict[str, Any]:
        return {
            "position": self.scene.finger,
            "angles": self.scene.angles,
            "velocities": self.scene.velocities,
        }
