"""Sequential pushing: sound physics, and pictures that show what matters."""

from __future__ import annotations

import numpy as np
import pytest

from ls3_sim.pushing_scene import PushingLayout, PushingScene

pytestmark = pytest.mark.background

START = np.array([[-0.159, -0.03, 0.04], [0.0, -0.03, 0.04], [0.159, -0.03, 0.04]])
FORWARD = np.array([0.0, -0.02])
COLOURS = {"left": (217, 26, 26), "middle": (242, 204, 26), "right": (191, 38, 191)}
BLUE, GREEN = (26, 64, 204), (38, 179, 64)  # effector, goal
PIXEL = 0.0117  # metres of the table's middle


@pytest.fixture(scope="module")
def scene():
    """One scene for all tests: making its renderer is what takes long."""
    made = PushingScene()
    yield made
    made.close()
    made.close()


def pushed(scene, steps=8):
    """The middle block after some steps of the effector, which starts behind it."""
    scene.reset()
    for _ in range(steps):
        scene.move(FORWARD)
    return scene.blocks[1]


def test_the_blocks_start_apart_and_lie_still(scene):
    scene.reset()
    assert np.diff(scene.blocks[:, 0]).min() > 0.08  # their width
    for _ in range(20):
        scene.move(np.zeros(2))
    assert scene.blocks[:, :2] == pytest.approx(START[:, :2], abs=1e-6)
    assert scene.blocks[:, 2] == pytest.approx(0.04, abs=2e-4)


def test_the_effector_moves_as_told_and_stays_in_its_workspace(scene):
    scene.reset()
    scene.move(np.array([0.03, 0.01]))
    assert scene.effector == pytest.approx([0.03, 0.13], abs=5e-4)
    for _ in range(8):
        scene.move(np.array([0.05, 0.05]))
    assert scene.effector == pytest.approx([0.28, 0.18], abs=5e-4)


def test_a_pushed_block_goes_with_the_effector_and_stops_with_it(scene):
    block = pushed(scene)
    assert block[1] < -0.085
    # radius of the effector and half a block
    assert scene.effector - block[:2] == pytest.approx([0.0, 0.06], abs=2e-3)
    assert scene.blocks[[0, 2]] == pytest.approx(START[[0, 2]], abs=2e-4)
    assert np.abs(scene.data.qvel).max() < 0.05
    scene.move(np.zeros(2))
    assert scene.blocks[1] == pytest.approx(block, abs=5e-4)


def test_the_servo_does_not_wind_up(scene):
    pushed(scene)
    place = scene.effector
    assert place[1] - scene.data.ctrl[1] > 2e-4  # the block holds the effector back
    scene.move(FORWARD)
    assert scene.data.ctrl == pytest.approx(place + FORWARD, abs=1e-9)


def test_physics_stays_sound_under_random_motions(scene):
    rng = np.random.default_rng(0)
    deepest, fallen = 0.0, 0
    for _ in range(6):
        scene.reset()
        for _ in range(150):
            scene.move(rng.uniform(-0.05, 0.05, 2))
            assert np.isfinite(scene.data.qpos).all()
            assert np.abs(scene.blocks[:, :2]).max() < 0.4
            deepest = min(deepest, scene.data.contact.dist.min(initial=0.0))
        fallen += scene.violated
        assert not scene.data.warning.number.any()
    assert fallen > 0
    assert deepest > -0.006


def coloured(picture, colour):
    """Pixels (n, 2) as (row, column) whose hue is near a colour's, however shaded."""
    values = picture.astype(float)
    cosine = values @ colour / np.linalg.norm(colour) / (np.linalg.norm(values, axis=2) + 1e-9)
    return np.argwhere((cosine > 0.97) & (values.max(axis=2) > 60))


def test_the_picture_tells_the_blocks_apart(scene):
    scene.reset()
    before = scene.observe(64)
    for block, name in enumerate(COLOURS):
        blocks = START.copy()
        blocks[block, 1] = -0.1
        scene.reset(blocks)
        after = scene.observe(64)
        for other, shade in COLOURS.items():
            seen, then = coloured(before, shade), coloured(after, shade)
            assert len(seen) > 30
            moved = then.mean(axis=0) - seen.mean(axis=0)
            expected = 0.07 / PIXEL if other == name else 0.0
            assert moved == pytest.approx([expected, 0.0], abs=0.5)
    columns = [coloured(before, colour)[:, 1].mean() for colour in COLOURS.values()]
    assert columns == sorted(columns)


@pytest.mark.parametrize(
    ("name", "place", "effector", "push"),
    [
        ("middle", (0.0, -0.17), (0.0, -0.1), (0.0, -0.02)),
        ("left", (-0.27, -0.03), (-0.2, -0.03), (-0.02, 0.0)),
        ("right", (0.27, -0.03), (0.2, -0.03), (0.02, 0.0)),
        ("middle", (0.0, 0.17), (0.0, 0.1), (0.0, 0.02)),
    ],
)
def test_a_block_that_fell_is_seen_beside_the_table(scene, name, place, effector, push):
    blocks = START.copy()
    blocks[list(COLOURS).index(name), :2] = place
    scene.reset(blocks, np.array(effector))
    for _ in range(12):
        scene.move(np.array(push))
    assert scene.violated
    lowest = scene.blocks[:, 2].min()
    assert -0.02 < lowest < 0
    seen = coloured(scene.observe(64), COLOURS[name])
    assert len(seen) > 20


def test_the_effector_is_seen_anywhere_and_a_quarter_of_a_pixel_matters(scene):
    low, high = scene.layout.workspace_low, scene.layout.workspace_high
    for place in [(x, y) for x in (low[0], 0.0, high[0]) for y in (low[1], 0.06, high[1])]:
        scene.reset(effector=np.array(place))
        assert len(coloured(scene.observe(64), BLUE)) > 8
    pictures = []
    for x in (0.1, 0.1 + PIXEL / 4):
        scene.reset(effector=np.array([x, 0.1]))
        pictures.append(scene.observe(64))
    assert not np.array_equal(*pictures)


def test_only_the_rendering_shows_the_goal(scene):
    scene.reset()
    assert not len(coloured(scene.observe(64), GREEN))
    assert len(coloured(scene.render(), GREEN)) > 3000


def test_a_layout_with_another_number_of_blocks_is_refused():
    with pytest.raises(ValueError, match="blocks_x has 2 values, there are 3 blocks"):
        PushingLayout(blocks_x=(0.0, 0.1))
