"""Reacher in MuJoCo: a planar two-link arm, a disc to stay out of and a target (5.3, 7.3.2).

Units: metres, seconds, radians; arrays (x, y) in the plane that the camera looks down on. Joint
arrays are (shoulder, wrist). The arm is that of the DeepMind Control Suite (assets/reacher.xml).
"""

from __future__ import annotations

import dataclasses
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ls3_common.parameters import parameter
from ls3_sim.camera import Camera
from ls3_sim.gl import mujoco, place_geom
from ls3_sim.pictures import Change, Image

Vector = NDArray[np.float64]

RENDERED = 128  # pixels of `render`, square
ANYWHERE = (np.pi, 0.85 * np.pi)
"""Largest angles (shoulder, wrist) of a random start to either side, rad."""


@dataclasses.dataclass(frozen=True)
class ReacherLayout:
    """Start angles (rad), positions (x, y) and sizes (m) in the scene.

    The paper gives none, so these are those of the authors' code.
    """

    start: tuple[float, ...] = parameter(
        (0.53 * np.pi, 0.85 * np.pi), description="Angles (shoulder, wrist) at reset", unit="rad"
    )
    target: tuple[float, ...] = parameter(
        (-0.25 * np.sin(0.25 * np.pi), 0.25 * np.cos(0.25 * np.pi)),
        description="Centre of the goal set",
        unit="m",
    )
    target_radius: float = parameter(
        0.015, description="Radius of the disc that the finger must touch", unit="m", low=0.001
    )
    obstacle: tuple[float, ...] = parameter(
        (-0.13 * np.sin(0.3 * np.pi), 0.13 * np.cos(0.3 * np.pi)),
        description="Centre of the stay-out zone",
        unit="m",
    )
    obstacle_radius: float = parameter(
        0.05, description="Radius of the disc that the finger must not touch", unit="m", low=0.001
    )


class ReacherScene:
    """The simulated arm: its state, its motion, its pictures, and success and constraint.

    When the finger touches the obstacle the state freezes: `move` does nothing until the next
    reset. The links may pass over the obstacle; only the finger must stay out (section 5.3).

    layout: positions and sizes; `move_obstacle` changes them.
    """

    def __init__(self, layout: ReacherLayout = ReacherLayout()) -> None:
        """Build the scene and reset it."""
        self.layout = self._given = layout
        self.model = _compile(layout)
        self.data = mujoco.MjData(self.model)
        self._finger = self.model.geom("finger").id
        self._finger_radius = float(self.model.geom_size[self._finger, 0])
        self._camera = Camera(self.model, "top")
        self.reset()

    @property
    def angles(self) -> Vector:
        """Angles (2,) of shoulder and wrist, rad; the shoulder's angle is not wrapped."""
        return self.data.qpos.copy()

    @property
    def velocities(self) -> Vector:
        """Angular velocities (2,) of shoulder and wrist, rad/s."""
        return self.data.qvel.copy()

    @property
    def finger(self) -> Vector:
        """Centre (2,) of the finger, m."""
        return self.data.geom_xpos[self._finger, :2].copy()

    @property
    def violated(self) -> bool:
        """Whether the finger touches the obstacle."""
        return self._touches(self.layout.obstacle, self.layout.obstacle_radius)

    @property
    def at_goal(self) -> bool:
        """Whether the finger touches the target and not the obstacle."""
        return self._touches(self.layout.target, self.layout.target_radius) and not self.violated

    def _touches(self, centre: tuple[float, ...], radius: float) -> bool:
        x, y = self.data.geom_xpos[self._finger, :2] - centre
        return bool(x * x + y * y <= (radius + self._finger_radius) ** 2)

    def reset(self, angles: Vector | None = None) -> None:
        """Put the arm at rest at `angles` (2,), rad, by default at the start."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.layout.start if angles is None else angles
        mujoco.mj_forward(self.model, self.data)

    def reset_anywhere(self, rng: np.random.Generator) -> None:
        """Put the arm at rest at uniformly random angles, with the finger outside the obstacle."""
        while True:
            self.reset(rng.uniform(-np.array(ANYWHERE), ANYWHERE))
            if not self.violated:
                return

    def reset_near_start(self, rng: np.random.Generator, jitter: float) -> None:
        """Put the arm at rest near the start, with the finger outside the obstacle.

        jitter: standard deviation of the angles, rad; beyond the wrist's limits they are bounded.
        """
        wrist = self.model.joint("wrist").range
        while True:
            shoulder, bend = self.layout.start + rng.normal(0, jitter, 2)
            self.reset(np.array([shoulder, np.clip(bend, *wrist)]))
            if not self.violated:
                return

    def move_obstacle(self, offset: Vector) -> None:
        """Put the obstacle `offset` (2,), m, away from its given place."""
        place = tuple((self._given.obstacle + offset).tolist())
        self.layout = dataclasses.replace(self._given, obstacle=place)
        place_geom(self.model, "obstacle", place)

    def move(self, control: Vector) -> None:
        """Take one step of 0.02 s with the motors' controls (2,) in [-1, 1]; 1 is 0.05 N m."""
        if not self.violated:
            self.data.ctrl[:] = control
            # the two halves of mj_step, the second first: positions then belong to the new state
            mujoco.mj_step2(self.model, self.data)
            mujoco.mj_step1(self.model, self.data)

    def observe(self, size: int, change: Change | None = None) -> Image:
        """The camera's picture, uint8 (size, size, 3); for `change` see `Camera.draw_smooth`."""
        return self._camera.draw_smooth(self.data, size, change)

    def render(self) -> Image:
        """The camera's picture for people, uint8 (128, 128, 3)."""
        return self._camera.draw(self.data, RENDERED)

    def close(self) -> None:
        """Release the renderer; call this from the thread that rendered. May be called twice."""
        self._camera.close()


def _compile(layout: ReacherLayout) -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_string(
        resources.files("ls3_sim").joinpath("assets/reacher.xml").read_text()
    )
    for name, place, radius in (
        ("obstacle", layout.obstacle, layout.obstacle_radius),
        ("target", layout.target, layout.target_radius),
    ):
        geom = spec.geom(name)
        geom.pos = [*place, geom.pos[2]]
        geom.size = [radius, geom.size[1], 0]
    return spec.compile()
