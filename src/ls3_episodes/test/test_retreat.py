"""The way back: never off the way that the tip came, never a longer step, always to its start."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls3_episodes.retreat import JUMP, SPACING, Point, ReturnPath

pytestmark = pytest.mark.background

STEP = 0.005
turns = st.lists(st.tuples(st.floats(-math.pi, math.pi), st.integers(1, 15)), max_size=12)


def walked(turns: list[tuple[float, int]]) -> list[Point]:
    """Poses a millimetre and a bit apart along straight pieces."""
    poses = [(0.01, -0.02)]
    for angle, count in turns:
        for _ in range(count):
            x, y = poses[-1]
            poses.append((x + 0.0011 * math.cos(angle), y + 0.0011 * math.sin(angle)))
    return poses


@given(turns)
def test_the_way_back_is_the_way_that_it_came(turns: list[tuple[float, int]]) -> None:
    poses = walked(turns)
    way = ReturnPath()
    way.begin(poses[0])
    assert all(way.add(pose) for pose in poses)
    tip, steps = poses[-1], 0
    most = math.ceil(2 * way.length / STEP) + 10
    while not way.is_back:
        dx, dy = way.next_displacement(tip, STEP)
        assert 0 < math.hypot(dx, dy) <= STEP + 1e-12
        for part in range(1, 11):  # what it passes on the way
            between = (tip[0] + dx * part / 10, tip[1] + dy * part / 10)
            assert min(math.dist(between, pose) for pose in poses) < STEP / 2 + SPACING
            assert way.add(between)
        tip, steps = between, steps + 1
        assert steps <= most
    assert math.dist(tip, poses[0]) < SPACING


def test_a_loop_is_not_gone_twice() -> None:
    way = ReturnPath()
    way.begin((0.0, 0.0))
    square = [(0, 0), (5, 0), (5, 5), (0, 5), (0, 0), (-5, 0)]
    for (a, b), (c, d) in itertools.pairwise(square):
        for part in range(1, 6):
            way.add(((a + (c - a) * part / 5) * 1e-3, (b + (d - b) * part / 5) * 1e-3))
    assert way.length == pytest.approx(0.005)


def test_a_jump_is_told() -> None:
    way = ReturnPath()
    assert way.add((1.0, 1.0))  # nothing to jump from
    way.begin((0.0, 0.0))
    assert not way.add((2 * JUMP, 0.0))
