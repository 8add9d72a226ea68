"""The limits of the joints, attacked."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ls3_episodes.joints import JointControl, JointLimits

pytestmark = pytest.mark.background

LOW, HIGH = (-1.0, -2.0), (1.0, 0.5)
PERIOD_NS = 20_000_000
NOW = 10**9


def make(**changes: float) -> JointControl:
    return JointControl(JointLimits(low=LOW, high=HIGH, period=0.02, **changes))


@pytest.fixture
def control() -> JointControl:
    control = make()
    control.receive(NOW, wall=0.0)
    return control


def test_good_action_is_sent_and_acts_for_one_period(control: JointControl) -> None:
    answer = control.execute([0.5, -2.0], NOW, feasible=True, wall=0.0)
    assert (answer.outcome, answer.command) == ("sent", (0.5, -2.0))
    assert control.moving
    control.receive(NOW + PERIOD_NS - 1, 0.0)
    assert control.moving
    control.receive(NOW + PERIOD_NS, 0.0)
    assert not control.moving


def test_no_plan_stops_the_joints_whatever_it_carries(control: JointControl) -> None:
    answer = control.execute([math.nan], NOW, feasible=False, wall=0.0)
    assert (answer.outcome, answer.command) == ("held", (0.0, 0.0))
    assert answer.reason == control.held == "no feasible plan"


def test_the_planners_words_stand_until_the_next_command(control: JointControl) -> None:
    def ask(stamp: int, **plan: Any) -> str:
        return control.execute([0.0, 0.0], stamp, wall=0.0, **plan).reason

    assert ask(NOW, feasible=False, lacks="no plan: words") == control.held == "no plan: words"
    control.receive(NOW + PERIOD_NS, 0.0)
    assert ask(NOW, feasible=True) == "image older than the last motion"
    assert control.held == "no plan: words", "what was refused was no command"
    assert control.not_ready(0.0) == ""
    assert ask(NOW + PERIOD_NS, feasible=True) == control.held == ""


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ([0.1], "1 numbers, not 2"),
        ([0.1, 0.1, 0.1], "3 numbers, not 2"),
        ([math.nan, 0.0], "not finite"),
        ([0.0, -math.inf], "not finite"),
        ([1.001, 0.0], "allowed -1 to 1"),
        ([0.0, 0.51], "allowed -2 to 0.5"),
    ],
)
def test_unfit_action_is_refused(control: JointControl, action: list[float], reason: str) -> None:
    answer = control.execute(action, NOW, feasible=True, wall=0.0)
    assert (answer.outcome, answer.command) == ("refused", ())
    assert reason in answer.reason
    assert not control.moving


def test_stale_image_is_refused(control: JointControl) -> None:
    control.execute([0.0, 0.0], NOW, feasible=True, wall=0.0)
    assert "moving" in control.execute([0.0, 0.0], NOW, feasible=True, wall=0.0).reason
    control.receive(NOW + PERIOD_NS, 0.0)
    answer = control.execute([0.0, 0.0], NOW, feasible=True, wall=0.0)
    assert answer.reason == "image older than the last motion"
    assert control.execute([0.0, 0.0], NOW + PERIOD_NS, feasible=True, wall=0.0).command


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (NOW - 500_000_001, "image older than 0.5 s"),  # of the scene before a reset
        (NOW + PERIOD_NS + 1, "image from the future"),
        (0, "image older than 0.5 s"),
    ],
)
def test_image_of_another_time_is_refused(control: JointControl, stamp: int, reason: str) -> None:
    for feasible in (True, False):
        answer = control.execute([0.0, 0.0], stamp, feasible=feasible, wall=0.0)
        assert (answer.outcome, answer.reason, answer.command) == ("refused", reason, ())


def test_image_of_a_former_clock_is_refused(control: JointControl) -> None:
    control.receive(5, 0.0)
    assert (
        control.execute([0.0, 0.0], NOW, feasible=True, wall=0.0).reason == "image from the future"
    )


def test_joints_that_nobody_reports_get_nothing() -> None:
    control = make(max_silence=1.0)
    for feasible in (True, False):
        assert control.execute([0, 0], NOW, feasible=feasible, wall=0.0).command == ()
    control.receive(NOW, wall=5.0)
    assert control.not_ready(6.0) == ""
    assert control.execute([0, 0], NOW, feasible=True, wall=6.1).reason == "no joint states for 1 s"


def test_clock_that_goes_back_is_a_new_robot(control: JointControl) -> None:
    control.execute([0.0, 0.0], NOW, feasible=True, wall=0.0)
    control.receive(5, 0.0)
    assert not control.moving
    assert control.execute([0.0, 0.0], 5, feasible=True, wall=0.0).outcome == "sent"


@given(
    st.lists(st.floats(width=32), max_size=3),
    st.integers(-10, 2 * NOW),
    st.booleans(),
    st.floats(0, 100),
)
def test_nothing_outside_the_limits_is_ever_sent(
    action: list[float], stamp: int, feasible: bool, wall: float
) -> None:
    control = make()
    control.receive(NOW, 0.0)
    answer = control.execute(action, stamp, feasible=feasible, wall=wall)
    if answer.outcome == "refused":
        assert answer.command == ()
        return
    assert len(answer.command) == 2
    for value, low, high in zip(answer.command, LOW, HIGH, strict=True):
        assert low <= value <= high
    if feasible:
        assert answer.command == pytest.approx(tuple(action), abs=3e-6)
    else:
        assert answer.command == (0.0, 0.0)


@pytest.mark.parametrize("limits", [((0.0,), (1.0, 1.0)), ((), ()), ((1.0,), (0.0,))])
def test_limits_that_make_no_sense(limits: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"low"):
        JointLimits(low=limits[0], high=limits[1], period=0.1)
