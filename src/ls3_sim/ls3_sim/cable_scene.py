"""Cable routing in MuJoCo: a planar chain of hinges held by a tool, an obstacle and a goal.

`CableEnv` and `sim_node` both drive this scene, so that a policy meets the same physics in one
process and in the node graph. Units: metres, seconds, radians; arrays (x, y) in the table frame.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.camera.segmentation import Image
from ls3_common.parameters import parameter
from ls3_sim.cable_model import LINKS, compile_model
from ls3_sim.camera import Camera
from ls3_sim.gl import mujoco, place_geom
from ls3_sim.pictures import Change
from ls3_sim.variations import CableVariations, EpisodeDraws

Vector = NDArray[np.float64]
SETTLE = 0.1
"""Seconds after a motion within which the cable comes to rest."""


@dataclasses.dataclass(frozen=True)
class CableLayout:
    """Positions (x, y) and sizes in the scene, m: this project's choice.

    docs/decisions/domains.md, record 33, gives the reasons.
    """

    start: tuple[float, ...] = parameter(
        (-0.090, 0.005), description="Tool, and the cable's held end, at reset", unit="m"
    )
    heading: float = parameter(
        -1.5707963, description="Direction in which the cable leaves the tool at reset", unit="rad"
    )
    obstacle: tuple[float, ...] = parameter((0.0, 0.005), description="Obstacle centre", unit="m")
    obstacle_radius: float = parameter(0.022, description="Obstacle radius", unit="m", low=0.005)
    goal: tuple[float, ...] = parameter((0.105, 0.005), description="Goal disc centre", unit="m")
    goal_radius: float = parameter(0.018, description="Goal disc radius", unit="m", low=0.005)
    workspace_low: tuple[float, ...] = parameter(
        ArmLimits.workspace_low, description="Lower corner (x, y) of the tool's range", unit="m"
    )
    workspace_high: tuple[float, ...] = parameter(
        ArmLimits.workspace_high, description="Upper corner (x, y) of the tool's range", unit="m"
    )
    tool_speed: float = parameter(0.05, description="Speed of the tool", unit="m/s", low=1e-3)


class CableScene:
    """The simulated scene: its state, its motion, its pictures, and success and constraint.

    At the first contact of cable or tool with the obstacle the scene freezes: `violated` stays
    true and `advance` does nothing until the next reset.

    layout: positions and sizes of the present episode; `begin` may move start, obstacle and goal.
    """

    def __init__(self, layout: CableLayout = CableLayout(), image_size: int = 128) -> None:
        """Build the scene; `image_size` is the side of the camera's pictures, px."""
        self.layout = self._given = layout
        self.image_size = image_size
        self.model = compile_model(
            obstacle=(layout.obstacle, layout.obstacle_radius),
            goal=(layout.goal, layout.goal_radius),
        )
        self.data = mujoco.MjData(self.model)
        self.violated = False
        self._camera = Camera(self.model, "top")
        self._nominal = {name: array.copy() for name, array in self._randomised().items()}
        self._viscosity = float(self.model.opt.viscosity)
        self._links = np.array([self.model.body(f"link{i}").id for i in range(LINKS)])
        self._tail = self.model.site("tail").id
        self.reset()

    @property
    def timestep(self) -> float:
        """Time step of the physics, s."""
        return float(self.model.opt.timestep)

    def begin(self, rng: np.random.Generator, config: CableVariations, draws: EpisodeDraws) -> None:
        """Draw layout and properties of an episode, and reset to its start state s_0 ~ mu.

        Args:
            rng: source of the domain randomisation.
            config: the magnitudes; if all are 0, the start is always the same state.
            draws: source of all other draws.
        """
        if config.domain_randomisation:
            draws.note("domain_randomisation", self.randomise(rng))
        self._vary_properties(config, draws)
        self._vary_layout(config, draws)
        bend = None
        if config.start_jitter:
            bend = draws.stream("start_jitter").normal(0, config.start_jitter, LINKS)
            draws.note("start_jitter", bend)
        self.reset(bend=bend)

    def _vary_properties(self, config: CableVariations, draws: EpisodeDraws) -> None:
        varied = self._randomised()
        if not config.domain_randomisation:  # which has just drawn them
            for name in ("friction", "stiffness"):
                varied[name][:] = self._nominal[name]
        factor = draws.factor("friction", config.friction)
        varied["friction"][:] *= factor
        self.model.opt.viscosity = self._viscosity * factor
        varied["stiffness"][:] *= draws.factor("stiffness", config.stiffness)

    def _vary_layout(self, config: CableVariations, draws: EpisodeDraws) -> None:
        given = self._given
        start, obstacle, goal = (
            tuple((place + draws.within(name, half_range, 2)).tolist())
            for place, name, half_range in (
                (given.start, "start_offset", config.start_offset),
                (given.obstacle, "obstacle_offset", config.obstacle_offset),
                (given.goal, "goal_offset", config.goal_offset),
            )
        )
        self.layout = dataclasses.replace(given, start=start, obstacle=obstacle, goal=goal)
        for name, place in (("obstacle", obstacle), ("goal", goal)):
            if getattr(config, f"{name}_offset"):
                place_geom(self.model, name, place)

    def reset(
        self,
        start: Vector | None = None,
        heading: float | None = None,
        bend: Vector | None = None,
    ) -> None:
        """Put tool and cable at rest at the start.

        Args:
            start: tool position (2,), m; by default the layout's.
            heading: direction in which the cable leaves the tool, rad; by default the layout's.
            bend: hinge angles (LINKS,) to add, rad.
        """
        xy = np.array(self.layout.start if start is None else start, float)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:2] = xy
        self.data.qpos[2] = self.layout.heading if heading is None else heading
        if bend is not None:
            self.data.qpos[2:] += bend
        self.data.ctrl[:] = xy
        mujoco.mj_forward(self.model, self.data)
        self.violated = self.data.ncon > 0
        self._rest = SETTLE

    def randomise(self, rng: np.random.Generator) -> dict[str, NDArray[Any] | float]:
        """Draw friction, stiffness, camera position, light and colours (domain randomisation).

        The draws are small enough for the colour ranges of the segmentation to hold.

        Returns:
            What was drawn, by name: offsets of the camera, m, and factors on all else.
        """
        drawn: dict[str, NDArray[Any] | float] = {}
        for name, array in self._randomised().items():
            nominal = self._nominal[name]
            if name == "camera":
                drawn[name] = offset = rng.normal(0, 0.002, nominal.shape)  # metres
                array[:] = nominal + offset
            elif name in ("colours", "light"):
                drawn[name] = factors = rng.uniform(0.85, 1.15, nominal[..., :3].shape)
                array[..., :3] = np.clip(nominal[..., :3] * factors, 0, 1)
            else:
                drawn[name] = factor = rng.uniform(0.7, 1.4)
                array[:] = nominal * factor
        return drawn

    def clip(self, xy: Vector) -> Vector:
        """Return the point of the tool's range that is nearest to `xy` (2,), m."""
        return np.clip(xy, self.layout.workspace_low, self.layout.workspace_high)

    def end_of_motion(self, begin: Vector, goal: Vector, gain: float) -> Vector:
        """Return where the tool is, (2,), m, after a motion by an arm that misses its lengths.

        Args:
            begin: where the motion begins, (2,), m.
            goal: where it is meant to end, (2,), m.
            gain: factor on its length; the tool does not leave its range by that.
        """
        return goal if gain == 1 else self.clip(begin + gain * (goal - begin))

    @property
    def half_view(self) -> float:
        """Half the width of the square of the table that the camera sees, m."""
        camera = self.model.camera("top")
        return float(camera.pos[2] * np.tan(np.radians(camera.fovy[0]) / 2))

    @property
    def setpoint(self) -> Vector:
        """Commanded tool position (2,), m."""
        return self.data.ctrl.copy()

    @property
    def tool(self) -> Vector:
        """Actual tool position (2,), m."""
        return self.data.qpos[:2].copy()

    def cable(self) -> Vector:
        """Return the cable's joints from the held end to the free end, (LINKS + 1, 2), m."""
        return np.concatenate(
            [self.data.xpos[self._links, :2], self.data.site_xpos[self._tail, None, :2]]
        )

    def in_picture(self, points: Vector) -> Vector:
        """Return where points (n, 2), m, lie in the picture, as shares (x, y) from the top left."""
        return (np.array([1.0, -1.0]) * points / self.half_view + 1) / 2

    def advance(self, setpoint: Vector, duration: float) -> None:
        """Advance by `duration` seconds while the tool moves straight to `setpoint` (2,), m.

        A cable that has settled does not move: with viscous drag alone it would slowly straighten,
        which friction on a table prevents. The next picture therefore does not depend on how long
        the planner takes.
        """
        steps = max(1, round(duration / self.timestep))
        begin = self.setpoint
        moving = bool((setpoint != begin).any())
        for step in range(1, steps + 1):
            self._rest = 0.0 if moving else self._rest + self.timestep
            if self.violated or self._rest > SETTLE + self.timestep / 2:
                return
            self.data.ctrl[:] = begin + (setpoint - begin) * (step / steps)
            mujoco.mj_step(self.model, self.data)
            # contacts of mj_step belong to the state before the step: one time step late
            self.violated = self.data.ncon > 0

    def move(self, goal: Vector) -> None:
        """Move the tool straight to `goal` (2,), m, at its speed, then let the cable settle."""
        distance = float(np.linalg.norm(goal - self.setpoint))
        if distance > 0:
            self.advance(goal, distance / self.layout.tool_speed)
        self.advance(goal, SETTLE)

    @property
    def at_goal(self) -> bool:
        """Whether the cable's axis passes through the goal disc."""
        points = self.cable()
        begin, along = points[:-1], np.diff(points, axis=0)
        goal = np.array(self.layout.goal)
        share = np.clip(((goal - begin) * along).sum(1) / (along**2).sum(1), 0.0, 1.0)
        gap = np.linalg.norm(begin + share[:, None] * along - goal, axis=1)
        return bool(gap.min() <= self.layout.goal_radius) and not self.violated

    def observe(self, size: int, change: Change | None = None) -> Image:
        """Return the camera's picture, whatever the size of the mask that is made of it."""
        picture = self.render()
        return picture if change is None else change(picture)

    def render(self) -> Image:
        """Return the camera's picture, uint8 (image_size, image_size, 3)."""
        return self._camera.draw(self.data, self.image_size)

    def close(self) -> None:
        """Release the renderer; call this from the thread that rendered."""
        self._camera.close()

    def _randomised(self) -> dict[str, NDArray[Any]]:
        """Views of the model's arrays that `randomise` changes, by name."""
        model = self.model
        return {
            "stiffness": model.jnt_stiffness,
            "friction": model.dof_damping[2:],
            "camera": model.cam_pos,
            "light": model.vis.headlight.diffuse,
            "colours": model.mat_rgba,
        }
