"""Sequential pushing in MuJoCo: a rod pushes three blocks across a table (paper, 5.3, 7.3.3).

Units: metres, seconds. x points to the right, y away from the camera, z up from the table's top.
The blocks are pushed towards the camera, along -y.
"""

from __future__ import annotations

import dataclasses
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ls3_common.parameters import parameter
from ls3_sim.camera import Camera
from ls3_sim.gl import mujoco
from ls3_sim.pictures import Change, Image

Vector = NDArray[np.float64]

BLOCKS = 3
RENDERED = 384
"""Side of the pictures of `render`, px."""
MOTION = 0.25
"""Duration of the effector's motion in one step, s."""
SETTLE = 0.1
"""Time after a motion within which the blocks come to rest, s."""
MARGIN = 0.01
"""Least distance at the start between a block's centre and the goal's sides, m."""
GOAL_GROUP = 3
"""Group of the goal's geom; MuJoCo draws groups 0 to 2 by default."""


@dataclasses.dataclass(frozen=True)
class PushingLayout:
    """Positions (x, y) and sizes in the scene, m.

    The paper gives no dimensions. Goal and blocks are those of the authors' code, with the blocks
    where its physics puts them: the code places them 5 cm apart although they are 8 cm wide, and
    the first step throws them apart.
    """

    start: tuple[float, ...] = parameter(
        (0.0, 0.12), description="Effector at reset (x, y)", unit="m"
    )
    blocks_x: tuple[float, ...] = parameter(
        (-0.159, 0.0, 0.159), description="Centres of the blocks at reset, left to right", unit="m"
    )
    blocks_y: float = parameter(-0.03, description="Centres of the blocks at reset", unit="m")
    goal_low: tuple[float, ...] = parameter(
        (-0.2, -0.2), description="Corner of the goal with the smallest x and y", unit="m"
    )
    goal_high: tuple[float, ...] = parameter(
        (0.2, -0.075), description="Corner of the goal with the largest x and y", unit="m"
    )
    workspace_low: tuple[float, ...] = parameter(
        (-0.28, -0.18), description="Lower corner (x, y) of the effector's range", unit="m"
    )
    workspace_high: tuple[float, ...] = parameter(
        (0.28, 0.18), description="Upper corner (x, y) of the effector's range", unit="m"
    )

    def __post_init__(self) -> None:
        if len(self.blocks_x) != BLOCKS:
            raise ValueError(f"blocks_x has {len(self.blocks_x)} values, there are {BLOCKS} blocks")


class PushingScene:
    """The simulated scene: its state, its motion, its pictures, and success and constraint.

    When a block's centre falls below the table's top the scene freezes: `violated` stays true and
    `move` does nothing until the next reset.
    """

    def __init__(self, layout: PushingLayout = PushingLayout()) -> None:
        """Build the scene and reset it."""
        self.layout = layout
        self.model = _compile(layout)
        self.data = mujoco.MjData(self.model)
        self.violated = False
        self._poses = self.data.qpos[2:].reshape(BLOCKS, 7)  # a view: position and quaternion
        self._half = float(self.model.geom_size[self.model.body("left").geomadr[0], 2])
        self._rod = float(self.model.geom("effector").size[0])  # radius
        self._friction = self.model.geom_friction.copy()
        self._camera = Camera(self.model, "front")
        self._with_goal = mujoco.MjvOption()
        self._with_goal.geomgroup[GOAL_GROUP] = 1
        self.reset()

    @property
    def effector(self) -> Vector:
        """Position (2,) of the effector, m."""
        return self.data.qpos[:2].copy()

    @property
    def blocks(self) -> Vector:
        """Centres (3, 3) of the blocks, m, in the order of their start from left to right."""
        return self._poses[:, :3].copy()

    @property
    def at_goal(self) -> bool:
        """Whether the centres of all blocks lie above the goal's rectangle and no block fell."""
        xy = self._poses[:, :2]
        inside = np.all(xy > self.layout.goal_low) and np.all(xy < self.layout.goal_high)
        return bool(inside) and not self.violated

    @property
    def _fallen(self) -> bool:
        return bool(self._poses[:, 2].min() < 0)

    def reset(self, blocks: Vector | None = None, effector: Vector | None = None) -> None:
        """Put everything at rest; what is not given is at the start, which is always the same.

        Args:
            blocks: centres (3, 3) of the blocks, m.
            effector: position (2,) of the effector, m.
        """
        mujoco.mj_resetData(self.model, self.data)
        place = np.array(self.layout.start) if effector is None else effector
        self.data.qpos[:2] = self.data.ctrl[:] = place
        self._poses[:, 0] = self.layout.blocks_x
        self._poses[:, 1] = self.layout.blocks_y
        self._poses[:, 2] = self._half
        if blocks is not None:
            self._poses[:, :3] = blocks
        mujoco.mj_forward(self.model, self.data)
        self.violated = self._fallen

    def reset_near_start(self, rng: np.random.Generator, jitter: float) -> None:
        """Put everything at rest near the start.

        The draw is repeated until nothing touches, and every block can be pushed straight into the
        goal and is not in it.

        jitter: standard deviation of the places of blocks and effector, m per axis.
        """
        layout = self.layout
        nominal = np.column_stack([layout.blocks_x, np.full(BLOCKS, layout.blocks_y)])
        while True:
            places = nominal + rng.normal(0, jitter, (BLOCKS, 2))
            effector = layout.start + rng.normal(0, jitter, 2)
            effector = np.clip(effector, layout.workspace_low, layout.workspace_high)
            left, right = places[:, 0].min() - MARGIN, places[:, 0].max() + MARGIN
            sides = left > layout.goal_low[0] and right < layout.goal_high[0]
            before = places[:, 1].min() > layout.goal_high[1]
            apart = np.diff(places[:, 0]).min() > 2 * self._half
            behind = effector[1] > places[:, 1].max() + self._half + self._rod
            if sides and before and apart and behind:
                heights = np.full((BLOCKS, 1), self._half)
                self.reset(np.hstack([places, heights]), effector)
                return

    def scale_friction(self, factor: float) -> None:
        """Make the friction of all surfaces `factor` times the nominal one."""
        self.model.geom_friction[:] = self._friction * factor

    def move(self, displacement: Vector) -> None:
        """Move the effector by `displacement` (2,), m, then let the blocks settle.

        The motion begins at the measured position, so that the target does not run away from an
        effector that is held back. Every motion takes the same time, so short motions are slow.
        """
        steps = round(MOTION / self.model.opt.timestep)
        settling = round(SETTLE / self.model.opt.timestep)
        begin = self.effector
        end = np.clip(begin + displacement, self.layout.workspace_low, self.layout.workspace_high)
        for step in range(1, steps + settling + 1):
            if self.violated:
                return
            self.data.ctrl[:] = begin + (end - begin) * min(1.0, step / steps)
            mujoco.mj_step(self.model, self.data)
            self.violated = self._fallen

    def observe(self, size: int, change: Change | None = None) -> Image:
        """The camera's picture without the goal, uint8 (size, size, 3).

        change: see `Camera.draw_smooth`.
        """
        return self._camera.draw_smooth(self.data, size, change)

    def render(self) -> Image:
        """The camera's picture with the goal, uint8 (384, 384, 3)."""
        return self._camera.draw(self.data, RENDERED, self._with_goal)

    def close(self) -> None:
        """Release the renderers; call this from the thread that rendered. May be called twice."""
        self._camera.close()


def _compile(layout: PushingLayout) -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_string(
        resources.files("ls3_sim").joinpath("assets/pushing.xml").read_text()
    )
    goal = spec.geom("goal")
    low, high = np.array(layout.goal_low), np.array(layout.goal_high)
    goal.pos = [*(low + high) / 2, 0.0]
    goal.size = [*(high - low) / 2, goal.size[2]]
    return spec.compile()
