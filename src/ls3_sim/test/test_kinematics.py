"""Kinematics of the simulated arm, and the ways that it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls3_sim.kinematics import (
    DOWN,
    HIGH,
    JOINTS,
    LOW,
    TipPose,
    body_jacobian,
    forward,
    inverse,
    matrix,
    pose_of,
    quaternion,
    spatial_jacobian,
    tip_jacobian,
)
from ls3_sim.trajectory import joint_move, line

pytestmark = pytest.mark.background

STEP = 1e-6


def at(x, y, z=-0.12, orientation=DOWN):
    return TipPose((x, y, z), orientation)


joints = st.tuples(
    *(st.floats(float(low), float(high)) for low, high in zip(LOW * 0.98, HIGH * 0.98, strict=True))
).filter(lambda q: q[2] > 0.05 and abs(q[3]) < 3)


@given(joints)
def test_inverse_kinematics_inverts(q):
    position, rotation = forward(np.array(q))
    found = inverse(TipPose(tuple(position), quaternion(rotation)))
    assert found == pytest.approx(np.array(q), abs=1e-6)


REACH = 0.1237
"""Depth of the tip at insertion 0.12: 0.12 - 0.4318 + 0.4162 + 0.0091 + 0.0102 m."""


def test_the_tool_at_zero():
    position, rotation = forward(np.array([0, 0, 0.12, 0, 0, 0]))
    assert position == pytest.approx([0, 0, -REACH])
    assert rotation == pytest.approx(np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]]))
    assert inverse(at(0.0, 0.0, -REACH)) == pytest.approx([0, 0, 0.12, 0, 0, 0], abs=1e-12)


@pytest.mark.parametrize(
    ("joint", "moved"),
    [
        ("yaw", (REACH * math.sin(0.1), 0, REACH * (1 - math.cos(0.1)))),
        ("pitch", (0, -REACH * math.sin(0.1), REACH * (1 - math.cos(0.1)))),  # -12.35 mm in y
        ("insertion", (0, 0, -0.1)),
        ("roll", (0, 0, 0)),
        ("wrist_pitch", (0, -0.0193 * math.sin(0.1), 0.0193 * (1 - math.cos(0.1)))),
        ("wrist_yaw", (0.0102 * math.sin(0.1), 0, 0.0102 * (1 - math.cos(0.1)))),
    ],
)
def test_directions_and_lever_arms_of_the_joints(joint, moved):
    """As in the dVRK: where a tenth of each joint takes the tip, m."""
    q = np.array([0, 0, 0.12, 0, 0, 0])
    before = forward(q)[0]
    q[JOINTS.index(joint)] += 0.1
    assert forward(q)[0] - before == pytest.approx(moved, abs=1e-9)


def test_positive_roll_turns_about_the_shaft():
    rotation = forward(np.array([0, 0, 0.12, 0.1, 0, 0]))[1]
    assert rotation[0, 0] == pytest.approx(math.sin(0.1))


@given(joints)
def test_quaternions_and_matrices_are_the_same_rotation(q):
    rotation = forward(np.array(q))[1]
    found = quaternion(rotation)
    assert math.hypot(*found) == pytest.approx(1.0)
    assert found[3] >= 0
    assert matrix(found) == pytest.approx(rotation, abs=1e-9)


@pytest.mark.parametrize("axis", range(3))
def test_the_quaternion_of_half_a_turn(axis):
    """Where w is 0 the other three numbers must come from elsewhere."""
    rotation = -np.eye(3)
    rotation[axis, axis] = 1.0
    assert np.abs(quaternion(rotation)) == pytest.approx(np.eye(4)[axis])


def test_the_roll_is_the_solution_nearest_to_where_it_is():
    q = np.array([0.1, 0.2, 0.12, 4.2, 0.3, -0.2])
    pose = pose_of(q)
    assert inverse(pose, near=q) == pytest.approx(q)
    assert inverse(pose, near=np.zeros(6))[3] == pytest.approx(4.2 - 2 * math.pi)
    assert inverse(pose)[3] == pytest.approx(4.2 - 2 * math.pi)


@given(joints)
def test_the_jacobians_are_the_derivatives_of_the_pose(q):
    q = np.array(q)
    tip, spatial, body = tip_jacobian(q), spatial_jacobian(q), body_jacobian(q)
    position, rotation = forward(q)
    for joint in range(6):
        moved = q + STEP * np.eye(6)[joint]
        velocity = (forward(moved)[0] - position) / STEP
        spin = (forward(moved)[1] - rotation) / STEP @ rotation.T  # skew-symmetric
        angular = np.array([spin[2, 1], spin[0, 2], spin[1, 0]])
        assert tip[:3, joint] == pytest.approx(velocity, abs=1e-4)
        assert tip[3:, joint] == pytest.approx(angular, abs=1e-4)
        assert spatial[:3, joint] == pytest.approx(velocity - np.cross(angular, position), abs=1e-4)
        assert spatial[3:, joint] == pytest.approx(angular, abs=1e-4)
        assert body[:3, joint] == pytest.approx(rotation.T @ velocity, abs=1e-4)
        assert body[3:, joint] == pytest.approx(rotation.T @ angular, abs=1e-4)


def test_a_joint_move_starts_and_ends_at_rest_and_no_joint_is_too_fast():
    fastest = np.array([1.0, 0.1])
    start, goal = np.array([0.2, 0.1]), np.array([-0.4, 0.11])
    way = joint_move(start, goal, fastest)
    assert way.duration == pytest.approx(0.9)  # the first joint: 3/2 of 0.6 s
    places = [start]
    while not way.done:
        places.append(way.advance(0.01))
    velocity = np.diff(places, axis=0) / 0.01
    assert len(places) == 91
    assert places[-1] is goal
    assert (np.abs(velocity) <= fastest + 1e-9).all()
    assert np.abs(velocity[:, 0]).max() == pytest.approx(1.0, rel=1e-2)
    assert np.abs(velocity[[0, -1]]).max() < 0.05
    share = (np.array(places) - start) / (goal - start)
    assert share[:, 0] == pytest.approx(share[:, 1])  # together


def test_a_line_is_straight_and_takes_the_short_way_round():
    turned = math.pi / 4 + 0.1  # half of a turn about z by 0.2 rad
    there = at(0.06, 0.08, orientation=(-math.cos(turned), -math.sin(turned), 0.0, 0.0))
    way = line(at(0.0, 0.0), there, speed=0.1)
    assert way.duration == pytest.approx(1.0)
    middle = way.advance(0.5)
    assert middle.position == pytest.approx((0.03, 0.04, -0.12))
    turn = 2 * math.acos(min(1.0, abs(np.dot(middle.orientation, DOWN))))
    assert turn == pytest.approx(0.1)
    assert way.advance(0.5) == there
