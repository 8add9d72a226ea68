"""`LS3/Reacher-v0`: bring a two-link arm's finger to a target round a disc (paper, 5.3, 7.3.2)."""

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
from ls3_sim.variations import EpisodeDraws, ReacherVariations
from ls3_sim.viewer import Viewer

CONTROL_SCALE = 0.5
"""Share of the motors' range that an action of 1 uses, as in the authors' code."""
CLEAR = 0.1
"""Turn of the shoulder from the nominal start after which a varied obstacle is out of the way,
rad."""


class ReacherEnv(DomainEnv[ReacherScene]):
    """The reacher as a gymnasium environment.

    Observation: the newest RGB frames, uint8 (height, width, 3 * frames), the oldest first; the
    domain says how many.
    Action: a torque per joint for 0.02 s, in [-1, 1]; 1 is 0.025 N m.
    Info: `position` (2,) of the finger, m, `angles` (2,), rad, and `velocities` (2,), rad/s, of
    shoulder and wrist, beside `success` and `constraint`.
    A random start is at rest, with the finger anywhere outside the obstacle.

    Args:
        render_mode: as in `DomainEnv`.
        layout: positions and sizes; by default those of `ReacherLayout`.
        domain: facts of the domain; by default the installed file's.
        variations: values of `ReacherVariations` by name.
    """

    metadata = {**DomainEnv.metadata, "render_fps": 50}
    random_starts = ("random", "constraint")
    behaviour_lengths: Mapping[str, int] = {"random": RANDOM_LENGTH}
    variations_class = ReacherVariations

    def __init__(
        self,
        render_mode: str | None = None,
        layout: ReacherLayout | None = None,
        domain: DomainSpec | None = None,
        **variations: Any,
    ) -> None:
        scene = ReacherScene(layout or ReacherLayout())
        super().__init__(domain or load_spec("reacher"), scene, render_mode, variations)

    def _make_behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        varied = self.variations.start_jitter or self.variations.obstacle_offset
        bent_until = self.scene.layout.start[0] + CLEAR if varied else -np.inf
        return make_behaviour(kind, rng, bent_until)

    def _open_window(self) -> Viewer:
        return Viewer(self.scene)

    def _begin(self, anywhere: bool, draws: EpisodeDraws) -> None:
        config = self.variations
        if config.obstacle_offset:
            self.scene.move_obstacle(draws.within("obstacle_offset", config.obstacle_offset, 2))
        if anywhere:
            self.scene.reset_anywhere(self.np_random)
        elif config.start_jitter:
            self.scene.reset_near_start(draws.stream("start_jitter"), config.start_jitter)
            draws.note("start_jitter", self.scene.angles)
        else:
            self.scene.reset()

    def _act(self, action: NDArray[np.float64]) -> None:
        self.scene.move(CONTROL_SCALE * self.disturbance.gain * action)

    def _state(self) -> dict[str, Any]:
        return {
            "position": self.scene.finger,
            "angles": self.scene.angles,
            "velocities": self.scene.velocities,
        }
