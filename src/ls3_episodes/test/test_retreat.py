"""The way back: on the way that the tip came, never forwards, never a longer step, to its start."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls3_episodes.retreat import EQUAL, JUMP, Point, ReturnPath

pytestmark = pytest.mark.background

STEP = 0.005
INEXACT = 0.0015
"""How far beside its goal an arm may stop, m; arm_node allows 2 mm."""
turns = st.lists(st.tuples(st.floats(-math.pi, math.pi), st.integers(1, 6)), max_size=5)


def walked(turns: list[tuple[float, int]], spacing: float) -> list[Point]:
    """Poses `spacing` metres apart along straight pieces."""
    poses = [(0.01, -0.02)]
    for angle, count in turns:
        for _ in range(count):
            x, y = poses[-1]
            poses.append((x + spacing * math.cos(angle), y + spacing * math.sin(angle)))
    return poses


def recorded(poses: list[Point]) -> ReturnPath:
    path = ReturnPath()
    path.begin(poses[0])
    assert all(path.add(pose) for pose in poses)
    return path


def distance(poses: list[Point], tip: Point) -> float:
    """Distance of the tip from the way along these poses, m, to a tenth of a piece."""
    pieces = itertools.pairwise(poses) if len(poses) > 1 else [(poses[0], poses[0])]
    shares = [part / 10 for part in range(11)]
    return min(
        math.dist(tip, (a + share * (c - a), b + share * (d - b)))
        for (a, b), (c, d) in pieces
        for share in shares
    )


# what encoders report at hundreds of Hz, what a slow topic does, and poses farther apart than steps
@pytest.mark.parametrize("spacing", [0.0001, 0.0011, 0.006, 0.019])
@given(turns=turns, astray=st.lists(st.floats(-math.pi, math.pi), min_size=1))
def test_the_way_back_is_the_way_that_it_came(
    spacing: float, turns: list[tuple[float, int]], astray: list[float]
) -> None:
    poses = walked(turns, spacing)
    for error in (0.0, INEXACT):
        path, tip = recorded(poses), poses[-1]
        most, left = math.ceil(2 * path.length / STEP) + 10, math.inf
        angles = itertools.cycle(astray)
        for _ in range(most):
            move = path.displacement_back(tip, STEP)
            assert path.length < left, "the tip went forwards"
            left = path.length
            if move is None:
                break
            assert 0 < math.hypot(*move) <= STEP + 1e-12
            for part in range(1, 11):  # what it passes on the way
                between = (tip[0] + move[0] * part / 10, tip[1] + move[1] * part / 10)
                assert distance(poses, between) < STEP / 2 + spacing / 20 + EQUAL + 2 * error
                assert path.add(between)
            angle = next(angles)
            tip = (between[0] + error * math.cos(angle), between[1] + error * math.sin(angle))
            assert path.add(tip)
        assert move is None
        assert math.dist(tip, poses[0]) < 2 * EQUAL + 2 * error  # recorded, and gone back


def test_six_millimetres_apart_at_steps_of_five() -> None:
    """Positions nearer than a millimetre counted as passed, and were gone to again."""
    poses = walked([(0.3, 10)], 0.006)
    path, tip, steps = recorded(poses), poses[-1], 0
    while (move := path.displacement_back(tip, STEP)) is not None:
        tip = (tip[0] + move[0], tip[1] + move[1])
        path.add(tip)
        steps += 1
    assert steps == 12
    assert math.dist(tip, poses[0]) < EQUAL


def test_a_tip_that_is_at_the_next_goal_already_stays_there() -> None:
    """It overshot by less than an arm may: the next displacement is nothing, and no error."""
    path = recorded([(0.0, 0.0), (0.0011, 0.0), (0.0061, 0.0)])
    assert path.displacement_back((0.0061, 0.0), STEP) == pytest.approx((-STEP, 0.0))
    assert path.displacement_back((0.0, 0.0), STEP) == (0.0, 0.0)
    assert path.displacement_back((0.0, 0.0), STEP) is None


def test_a_loop_is_not_gone_twice() -> None:
    path = ReturnPath()
    path.begin((0.0, 0.0))
    square = [(0, 0), (5, 0), (5, 5), (0, 5), (0, 0), (-5, 0)]
    for (a, b), (c, d) in itertools.pairwise(square):
        for part in range(1, 6):
            path.add(((a + (c - a) * part / 5) * 1e-3, (b + (d - b) * part / 5) * 1e-3))
    assert path.length == pytest.approx(0.005)


def test_a_loop_between_two_poses_is_not_gone_either() -> None:
    """Where the way crosses itself between poses, no pose is met again."""
    path = ReturnPath()
    path.begin((0.0, 0.0))
    for tip in [(0.004, 0.0), (0.008, 0.0), (0.008, 0.004), (0.006, 0.004), (0.006, 0.0)]:
        path.add(tip)
    assert path.length == pytest.approx(0.006)


def test_a_jump_is_told() -> None:
    path = ReturnPath()
    assert path.add((1.0, 1.0))  # nothing to jump from
    path.begin((0.0, 0.0))
    assert not path.add((2 * JUMP, 0.0))
    path.begin((0.0, 0.0))
    path.add((0.01, 0.0))
    path.displacement_back((0.01, 0.0), STEP)
    assert not path.add((0.01, 1.5 * JUMP)), "on the way back too"
