"""The reacher's motion is the control suite's, its zones are discs, its pictures show both."""

from __future__ import annotations

import numpy as np
import pytest

from ls3_common.errors import UserError
from ls3_sim import gl
from ls3_sim.reacher_env import ReacherEnv
from ls3_sim.reacher_scene import ReacherLayout, ReacherScene

pytestmark = pytest.mark.background

FAR_AWAY = ReacherLayout(obstacle=(1.0, 1.0))  # nothing freezes
STEPS = 200


@pytest.fixture(scope="module")
def scene():
    """One for all tests: making its renderer is what takes long."""
    made = ReacherScene()
    yield made
    made.close()


def posture(position):
    """Angles (2,) that bring the finger to `position`, by the law of cosines."""
    x, y = position
    wrist = np.arccos((x * x + y * y) / (2 * 0.12**2) - 1)
    return np.array([np.arctan2(y, x) - wrist / 2, wrist])


def at(scene, offset, centre):
    """Put the finger `offset` away from a centre, towards the shoulder."""
    centre = np.array(centre)
    scene.reset(posture(centre - offset * centre / np.linalg.norm(centre)))
    return scene


def controls():
    """Controls (STEPS, 2) that push the wrist against either limit of its range, and others."""
    rng = np.random.default_rng(0)
    pushes = np.repeat(np.sign(rng.uniform(-1, 1, (STEPS // 40, 2))), 20, axis=0)
    return np.concatenate([pushes, rng.uniform(-1, 1, (STEPS - len(pushes), 2))])


def test_trajectories_equal_those_of_the_control_suite():
    suite = pytest.importorskip("dm_control.suite")
    theirs = suite.load("reacher", "hard", task_kwargs={"random": 0}).physics
    ours = ReacherScene(FAR_AWAY)
    with theirs.reset_context():
        theirs.data.qpos[:] = ours.angles
    limit = np.radians(160)
    pressed = 0
    for control in controls():
        ours.move(control)
        theirs.set_control(control)
        theirs.step()
        # the same library computes the same model in the same order: no digit differs
        np.testing.assert_array_equal(ours.angles, theirs.data.qpos)
        np.testing.assert_array_equal(ours.velocities, theirs.data.qvel)
        np.testing.assert_array_equal(ours.finger, theirs.named.data.geom_xpos["finger", :2])
        pressed += abs(ours.angles[1]) > limit
    assert pressed > 5


def two_links(angles, velocities, control):
    """One step of the textbook's equations of a two-link arm, implicit in the damping."""
    length, radius, density, step = 0.12, 0.01, 1000.0, 0.02

    def capsule(long):
        """Mass, and inertia about an axis across it through its end."""
        rod, ball = density * np.pi * radius**2 * long, density * 4 / 3 * np.pi * radius**3
        about_centre = rod * (radius**2 / 4 + long**2 / 12)
        about_centre += ball * (2 / 5 * radius**2 + long**2 / 4 + 3 / 8 * long * radius)
        return rod + ball, about_centre + (rod + ball) * long**2 / 4

    (_, arm), (hand_mass, hand) = capsule(0.12), capsule(0.10)
    finger_mass = density * 4 / 3 * np.pi * radius**3
    hand += finger_mass * (2 / 5 * radius**2 + length**2)
    moment = hand_mass * 0.05 + finger_mass * length  # mass times distance from the wrist
    mass = hand_mass + finger_mass
    cosine, sine = np.cos(angles[1]), np.sin(angles[1])
    coupling = hand + moment * length * cosine
    inertia = np.array([[arm + mass * length**2 + 2 * coupling - hand, coupling], [coupling, hand]])
    one, two = velocities
    coriolis = moment * length * sine * np.array([-(2 * one * two + two * two), one * one])
    force = 0.05 * control - 0.01 * velocities - coriolis
    velocities = velocities + step * np.linalg.solve(inertia + step * 0.01 * np.eye(2), force)
    return angles + step * velocities, velocities


def test_trajectories_are_those_of_a_two_link_arm():
    scene = ReacherScene(FAR_AWAY)
    scene.reset(np.array([0.3, 0.5]))
    angles, velocities = scene.angles, scene.velocities
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        control = rng.uniform(-1, 1, 2)
        scene.move(control)
        angles, velocities = two_links(angles, velocities, control)
        assert scene.angles == pytest.approx(angles, abs=1e-9)
        assert scene.velocities == pytest.approx(velocities, abs=1e-9)
        arm = 0.12 * np.array([np.cos(angles), np.sin(angles)])
        turned = 0.12 * np.array([np.cos(angles.sum()), np.sin(angles.sum())])
        assert scene.finger == pytest.approx(arm[:, 0] + turned, abs=1e-9)
    assert np.ptp(scene.angles) > 0.1 and np.abs(angles[1]) < np.radians(160)


def test_the_start_and_the_zones_are_where_the_authors_have_them(scene):
    scene.reset()
    assert scene.finger == pytest.approx([-0.0555, 0.0079], abs=1e-4)
    assert scene.layout.target == pytest.approx([-0.1768, 0.1768], abs=1e-4)
    assert scene.layout.obstacle == pytest.approx([-0.1052, 0.0764], abs=1e-4)
    assert not scene.velocities.any()
    assert not scene.violated and not scene.at_goal


def test_zones_are_discs_that_the_finger_touches(scene):
    obstacle, target = scene.layout.obstacle, scene.layout.target
    assert at(scene, 0.059, obstacle).violated and at(scene, -0.059, obstacle).violated
    assert not at(scene, 0.061, obstacle).violated and not at(scene, -0.061, obstacle).violated
    assert at(scene, 0.024, target).at_goal
    assert not at(scene, 0.026, target).at_goal


def test_only_the_finger_must_stay_out(scene):
    scene.reset(np.array([0.75 * np.pi, 0.0]))  # straight across the obstacle
    assert scene.at_goal and not scene.violated


def test_a_violation_comes_before_the_goal():
    scene = ReacherScene(ReacherLayout(obstacle=ReacherLayout().target))
    scene.reset(np.array([0.75 * np.pi, 0.0]))
    assert scene.violated and not scene.at_goal


def test_a_random_start_is_free_and_may_be_anywhere(scene):
    rng = np.random.default_rng(0)
    starts = []
    for _ in range(200):
        scene.reset_anywhere(rng)
        assert not scene.violated
        starts.append(scene.angles)
    low, high = np.min(starts, axis=0), np.max(starts, axis=0)
    bound = np.array([np.pi, 0.85 * np.pi])
    assert np.all(low > -bound) and np.all(high < bound)
    assert np.all(high - low > 1.9 * bound)


def pixel(position):
    """Row and column of a point at the height of the zones: the camera is 0.75 m up."""
    x, y = np.array(position) / (0.75 * np.tan(np.radians(22.5))) * 32
    return round(31.5 - y), round(31.5 + x)


def test_the_picture_shows_arm_obstacle_and_target_where_they_are(scene):
    layout = scene.layout
    scene.reset(np.array([-0.5 * np.pi, 0.0]))  # out of the way
    picture = scene.observe(64).astype(int)
    assert picture.shape == (64, 64, 3)
    red, green, blue = np.moveaxis(picture, 2, 0)
    reddish, yellow = (red > 150) & (green < 80), (red > 150) & (green > 130) & (blue < 80)
    size = (2 * 0.75 * np.tan(np.radians(22.5)) / 64) ** 2  # of a pixel, square metres
    for mask, centre, radius in (
        (reddish, layout.obstacle, layout.obstacle_radius),
        (yellow, layout.target, layout.target_radius),
    ):
        places = np.argwhere(mask)
        assert places.mean(axis=0) == pytest.approx(pixel(centre), abs=0.7)
        assert len(places) * size == pytest.approx(np.pi * radius**2, rel=0.3)
    assert picture[pixel((0.0, -0.1))].min() > 120  # the arm is grey
    assert blue[pixel((0.0, -0.24))] > red[pixel((0.0, -0.24))] + 40  # the finger is blue
    scene.reset(np.array([0.75 * np.pi, 0.0]))
    assert scene.observe(64)[pixel((-0.08, 0.08))].min() > 120  # the arm lies on the obstacle


def test_the_picture_changes_with_a_fraction_of_a_pixel(scene):
    pictures = []
    for shoulder in (0.0, 0.01):  # the finger moves a quarter of a pixel
        scene.reset(np.array([shoulder, 0.3]))
        pictures.append(scene.observe(64))
    assert not np.array_equal(*pictures)


def test_without_opengl_the_physics_work_and_a_picture_says_what_to_install(monkeypatch):
    monkeypatch.setattr(gl, "_missing", RuntimeError("no library"))
    scene = ReacherScene()
    scene.move(np.ones(2))
    assert scene.velocities.any()
    with pytest.raises(UserError, match="sudo apt-get install"):
        ReacherEnv().reset()
