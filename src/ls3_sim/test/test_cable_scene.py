"""The physics: what makes the task a task, and the mask of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dvrk_cable_env.camera.segmentation import cable_pixels, segment_cable
from dvrk_cable_env.camera.task_by_colour import task_masks, task_state
from ls3_sim.cable_model import LINK_LENGTH, LINKS
from ls3_sim.cable_scene import CableLayout, CableScene
from ls3_sim.gl import mujoco, release, renderer

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def scene():
    made = CableScene()
    yield made
    made.close()


def fly(scene, points, step=0.015):
    """Steps to the goal over waypoints at full speed; 0 where the cable or the tool touches."""
    scene.reset()
    points = list(points)
    for count in range(1, 51):
        if len(points) > 1 and np.abs(points[0] - scene.tool).max() < 0.006:
            points.pop(0)
        gap = points[0] - scene.tool
        scene.move(scene.setpoint + gap * min(1.0, step / np.abs(gap).max()))
        if scene.violated:
            return 0
        if scene.at_goal:
            return count
    raise AssertionError("never arrived")


def over(scene, clearance):
    """Two waypoints over the obstacle, then the goal."""
    obstacle, goal = np.array(scene.layout.obstacle), np.array(scene.layout.goal)
    return [np.add(obstacle, [x, clearance]) for x in (-0.04, 0.04)] + [goal]


def test_the_straight_line_hits_the_obstacle(scene):
    assert fly(scene, [np.array(scene.layout.goal)]) == 0


def test_a_corner_cut_tightly_catches_the_cable_and_a_wide_one_is_fast(scene):
    # tool and obstacle never come near each other here: what touches is the trailing cable
    assert fly(scene, over(scene, 0.06)) == 0
    assert np.linalg.norm(scene.tool - scene.layout.obstacle) > scene.layout.obstacle_radius + 0.01
    steps = fly(scene, over(scene, 0.10))
    assert 0 < steps <= 25


def test_the_cable_keeps_its_length_and_lies_straight_at_first(scene):
    scene.reset()
    assert np.ptp(scene.cable()[:, 0]) < 1e-6
    fly(scene, over(scene, 0.10))
    lengths = np.linalg.norm(np.diff(scene.cable(), axis=0), axis=1)
    assert lengths == pytest.approx(np.full(LINKS, LINK_LENGTH), abs=1e-6)
    assert np.ptp(scene.cable()[:, 0]) > 0.02


def test_only_the_obstacle_makes_contacts(scene):
    """Also where the cable lies across itself and the goal, no contact but a violation's."""
    scene.reset(start=np.array(scene.layout.goal), bend=np.full(LINKS, 0.9))
    assert scene.data.ncon == 0
    assert scene.at_goal
    scene.reset(start=np.array(scene.layout.obstacle))
    assert scene.violated
    obstacle = scene.model.geom("obstacle").id
    assert (scene.data.contact.geom == obstacle).any(axis=1).all()


def test_a_settled_cable_lies_still(scene):
    """In the graph the next frame may be taken, and the next step made, much later."""
    scene.reset()
    scene.move(np.add(scene.setpoint, [0.0, 0.1]))
    scene.move(np.add(scene.setpoint, [0.015, -0.015]))
    settled = scene.cable()
    for _ in range(100):
        scene.advance(scene.setpoint, 0.01)
    assert np.array_equal(scene.cable(), settled)
    scene.move(np.add(scene.setpoint, [0.01, 0.0]))
    assert np.abs(scene.cable() - settled).max() > 0.005


def test_a_layout_moves_obstacle_and_goal():
    layout = CableLayout(obstacle=(0.02, 0.03), obstacle_radius=0.01, goal=(0.05, -0.05))
    scene = CableScene(layout)
    assert scene.model.geom("obstacle").pos[:2] == pytest.approx([0.02, 0.03])
    assert scene.model.geom("obstacle").size[0] == pytest.approx(0.01)
    scene.reset(start=np.array([0.05, -0.05]))
    assert scene.at_goal


def test_the_mask_is_what_mujoco_says_is_cable(env):
    """Colour segmentation against the renderer's own, over a demonstration (IoU)."""
    scene = env.scene
    truth = renderer(scene.model, 128, 128)
    truth.enable_segmentation_rendering()
    cable_geoms = [scene.model.geom(f"cable{index}").id for index in range(LINKS)]
    geom_type = int(mujoco.mjtObj.mjOBJ_GEOM)
    _, info = env.reset(seed=0)
    act = env.behaviour("demonstration", np.random.default_rng(0))
    for _ in range(36):
        observation, *_, info = env.step(act(info))
        truth.update_scene(scene.data, camera="top")
        ids = truth.render()
        expected = np.isin(ids[..., 0], cable_geoms) & (ids[..., 1] == geom_type)
        shown = cable_pixels(scene.render())
        assert (shown & expected).sum() / (shown | expected).sum() > 0.99
        small = cv2.resize(expected.astype(np.uint8) * 255, (64, 64), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - observation[..., 0]).mean() < 0.2
    release(truth)


def test_the_check_by_colour_agrees_with_contacts_within_a_step(env):
    """As on the robot: success at most one step late, contact of the cable one step early or late.

    Contact of the tool is not seen by colour, so only contacts of the cable are compared.
    """
    compared = 0
    for kind, seed in [("demonstration", 0), *(("constraint", seed) for seed in range(1010, 1020))]:
        _, info = env.reset(seed=0)
        reference = task_masks(env.scene.render())
        act = env.behaviour(kind, np.random.default_rng(seed))
        truth, colour = [], []
        for _ in range(40):
            *_, info = env.step(act(info))
            truth.append((info["success"], info["constraint"]))
            colour.append(task_state(env.scene.render(), reference))
        if kind == "demonstration":
            assert not any(constraint for _, constraint in truth + colour)
            late = [s for s, _ in colour].index(True) - [s for s, _ in truth].index(True)
            assert late in (0, 1)
            continue
        tool = env.scene.model.geom("tool").id
        if not truth[-1][1] or (env.scene.data.contact.geom == tool).any():
            continue
        compared += 1
        step = [constraint for _, constraint in truth].index(True)
        assert abs([constraint for _, constraint in colour].index(True) - step) <= 1
    assert compared >= 3


def test_closing_one_scene_leaves_the_pictures_of_another(scene):
    scene.reset()
    before = scene.render()
    other = CableScene()
    other.render()
    assert np.array_equal(scene.render(), before)
    other.close()
    assert np.array_equal(scene.render(), before)


def test_the_whole_cable_is_in_view_at_the_start(scene):
    scene.reset()
    mask = segment_cable(scene.render())
    assert mask.any()
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert not edges.any()
