"""The MuJoCo model of cable routing: a planar chain of hinges held by a tool. Units: m, s, rad."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from ls3_sim.gl import mujoco

LINKS = 15
"""Number of the cable's links."""
LINK_LENGTH = 0.010
CABLE_RADIUS = 0.0035


def compile_model(**discs: tuple[Sequence[float], float]) -> mujoco.MjModel:
    """Compile the model of the scene.

    discs: centre (x, y) and radius, m, of `obstacle` and `goal`.
    """
    spec = mujoco.MjSpec.from_string(
        resources.files("ls3_sim").joinpath("assets/cable.xml").read_text()
    )
    for name, (place, radius) in discs.items():
        geom = spec.geom(name)
        geom.pos = [*place, geom.pos[2]]
        geom.size = [radius, geom.size[1], 0]
    body = spec.body("tool")
    for index in range(LINKS):
        body = body.add_body(name=f"link{index}", pos=[LINK_LENGTH if index else 0.0, 0, 0])
        body.add_joint(
            name=f"hinge{index}",
            axis=[0, 0, 1],
            stiffness=[2e-4 if index else 0.0, 0, 0],  # the cable turns freely in the jaws
            damping=[2e-5, 0, 0],
            armature=1e-7,
        )
        body.add_geom(
            name=f"cable{index}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=[0, 0, 0, LINK_LENGTH, 0, 0],
            size=[CABLE_RADIUS, 0, 0],
            material="cable",
            conaffinity=1,
            friction=[0.4, 0.005, 0.0001],
        )
    body.add_site(name="tail", pos=[LINK_LENGTH, 0, 0], group=4)  # not drawn
    return spec.compile()
