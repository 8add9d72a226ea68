"""The filter between planner and arm: nothing outside a limit passes, whatever is asked."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvrk_cable_env.arm.limits import (
    ROUNDING,
    ArmLimits,
    ArmState,
    Decision,
    Request,
)
from dvrk_cable_env.arm.safety import decide, not_ready
from ls3_common.errors import ConfigError
from ls3_common.parameters import build

pytestmark = pytest.mark.background

SECOND = 1_000_000_000
NOW = 100 * SECOND
END = 99 * SECOND  # of the last motion
LIMITS = ArmLimits()
READY = ArmState("ENABLED", True, False, NOW, "base", (0.01, 0.02, -0.1), (0.01, 0.02, -0.1))
SAFE = Request((0.01, -0.005), NOW)


def ask(
    request: Request = SAFE,
    arm: ArmState = READY,
    limits: ArmLimits = LIMITS,
    now: int = NOW,
    motion_end: int = END,
) -> Decision:
    return decide(limits, request, arm, now=now, motion_end=motion_end)


def changed(**fields: object) -> ArmState:
    return dataclasses.replace(READY, **fields)  # type: ignore[arg-type]


def at(x: float, y: float) -> ArmState:
    return changed(setpoint=(x, y, -0.1), measured=(x, y, -0.1))


def test_a_safe_action_passes_unchanged() -> None:
    decision = ask()
    assert decision == Decision("sent", "", (0.01, -0.005), (0.01 + 0.01, 0.02 - 0.005))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"request": Request((), NOW)}, "0 numbers, not 2"),
        ({"request": Request((0.01, 0.0, 0.0), NOW)}, "3 numbers, not 2"),
        ({"request": Request((math.nan, 0.0), NOW)}, "not finite"),
        ({"request": Request((0.0, -math.inf), NOW)}, "not finite"),
        ({"request": Request((0.0, -0.0151), NOW)}, "a step of 0.0151 m, allowed 0.015 m"),
        ({"request": Request(SAFE.action, 0)}, "the image has no stamp"),
        ({"request": Request(SAFE.action, -1)}, "the image has no stamp"),
        ({"request": Request(SAFE.action, NOW + SECOND)}, "the image is 1 s in the future"),
        ({"request": Request(SAFE.action, END - 1)}, "image older than the last motion"),
        (
            {"request": Request(SAFE.action, NOW - 3 * SECOND), "motion_end": 0},
            "the image is 3 s old, allowed 2 s",
        ),
        ({"now": 0}, "no valid clock"),
        ({"arm": ArmState()}, "no operating state"),
        ({"arm": changed(state="DISABLED")}, "the arm is DISABLED, not ENABLED"),
        ({"arm": changed(state="PAUSED")}, "the arm is PAUSED, not ENABLED"),
        ({"arm": changed(state="FAULT")}, "the arm is FAULT, not ENABLED"),
        ({"arm": changed(is_homed=False)}, "not homed"),
        ({"arm": changed(stamp=0)}, "stamp 0"),
        ({"arm": changed(stamp=NOW - SECOND)}, "older than 0.25 s"),
        ({"arm": changed(stamp=NOW + SECOND)}, "more than 0.1 s in the future"),
        ({"arm": changed(setpoint=())}, "pose is not finite"),
        ({"arm": changed(measured=(0.0, math.nan, 0.0))}, "pose is not finite"),
        ({"arm": changed(silence=2.5)}, "no robot pose for 2 s"),
        (
            {"limits": dataclasses.replace(LIMITS, frame="PSM1_base")},
            "in frame 'base', the workspace in 'PSM1_base'",
        ),
        ({"arm": changed(is_busy=True)}, "the arm is moving"),
        (
            {"arm": changed(measured=(0.01, 0.02, -0.08))},
            "the tip is 0.02 m from its setpoint, allowed 0.01 m",
        ),
        ({"arm": at(0.2, 0.0)}, "the arm is outside the workspace"),
    ],
)
def test_each_limit_refuses_with_its_reason(case: dict, reason: str) -> None:
    decision = ask(**case)
    assert decision.outcome == "refused" and not decision.moves
    assert reason in decision.reason
    assert decision.displacement == (0.0, 0.0)


def test_the_boundary_of_each_limit_is_allowed() -> None:
    edges: list[dict] = [
        {"request": Request((0.015, -0.015), NOW)},
        {"request": Request(SAFE.action, END)},
        {"request": Request(SAFE.action, NOW - 2 * SECOND), "motion_end": 0},
        {"request": Request(SAFE.action, NOW + SECOND // 10)},
        {"arm": changed(stamp=NOW - SECOND // 4)},
        {"arm": changed(measured=(0.019, 0.02, -0.1))},
    ]
    assert [ask(**edge).outcome for edge in edges] == ["sent"] * len(edges)


@pytest.mark.parametrize(
    ("elapsed_s", "length"),
    [(0.02, 2.0 * 0.02**2), (0.05, 2.0 * 0.05**2), (0.1, 0.01), (0.11, 0.011)],
)
def test_a_step_soon_after_the_last_is_made_shorter_in_its_direction(
    elapsed_s: float, length: float
) -> None:
    limits = dataclasses.replace(LIMITS, max_mean_speed=0.1)
    decision = decide(
        limits,
        Request((0.012, -0.009), NOW),
        READY,
        now=NOW,
        motion_end=END,
        last_command=NOW - round(elapsed_s * SECOND),
    )
    assert decision.outcome == "clamped" and "too fast" in decision.reason
    assert decision.displacement == pytest.approx((0.8 * length, -0.6 * length))
    rejecting = dataclasses.replace(limits, outside="reject")
    times = {"now": NOW, "motion_end": END, "last_command": NOW - round(elapsed_s * SECOND)}
    rejected = decide(rejecting, Request((0.012, -0.009), NOW), READY, **times)
    assert rejected.outcome == "refused" and "too fast" in rejected.reason


def test_a_step_long_after_the_last_is_as_long_as_any() -> None:
    for last in (0, NOW - SECOND, NOW - SECOND // 5):
        times = {"now": NOW, "motion_end": END, "last_command": last}
        assert decide(LIMITS, SAFE, READY, **times).outcome == "sent"


def test_a_command_of_the_future_leaves_no_room_for_a_step() -> None:
    times = {"now": NOW, "motion_end": END, "last_command": NOW + SECOND}
    assert decide(LIMITS, SAFE, READY, **times).displacement == (0.0, 0.0)


@pytest.mark.parametrize("action", [(0.01, 0.0), (), (math.nan, math.nan), (9.0, 9.0)])
def test_an_infeasible_plan_holds_whatever_it_carries(action: tuple[float, ...]) -> None:
    decision = ask(Request(action, 0, feasible=False), ArmState())
    assert decision == Decision("held", "no feasible plan")
    decision = ask(Request(action, 0, feasible=False, lacks="no plan, (5) fails"), ArmState())
    assert decision == Decision("held", "no plan, (5) fails")


def test_a_goal_outside_is_clamped_or_rejected_as_configured() -> None:
    arm, request = at(0.125, -0.125), Request((0.015, -0.01), NOW)
    decision = ask(request, arm)
    assert decision.outcome == "clamped" and decision.goal == (0.13, -0.13)
    assert decision.displacement == pytest.approx((0.005, -0.005))
    rejected = ask(request, arm, dataclasses.replace(LIMITS, outside="reject"))
    assert rejected.outcome == "refused" and "outside the workspace" in rejected.reason


def test_without_a_clock_no_state_counts_as_fresh() -> None:
    assert not_ready(LIMITS, READY, 0) == "no valid clock yet"


def test_less_than_a_micrometre_over_the_edge_is_not_reported_as_clamped() -> None:
    limits = dataclasses.replace(LIMITS, outside="reject")
    decision = ask(Request((0.01, 0.0), NOW), at(0.12 + 5e-7, 0.0), limits)
    assert decision.outcome == "sent" and decision.goal == (0.13, 0.0)


def test_the_margin_shrinks_the_workspace() -> None:
    narrow = dataclasses.replace(LIMITS, workspace_margin=0.02)
    assert ask(Request((0.015, 0.0), NOW), at(0.1, 0.0), narrow).goal == (0.11, 0.0)


def test_an_arm_a_little_outside_is_brought_back_by_at_most_one_step() -> None:
    decision = ask(Request((0.01, 0.0), NOW), at(0.14, 0.0))
    assert decision.outcome == "clamped" and decision.goal == (0.13, 0.0)


def test_single_precision_of_the_message_is_no_violation() -> None:
    above = float(np.nextafter(np.float32(0.01), np.float32(1.0)))
    assert above > 0.01
    limits = dataclasses.replace(LIMITS, max_step=0.01)
    decision = ask(Request((above, 0.0), NOW), READY, limits)
    assert decision.outcome == "sent" and decision.displacement[0] == 0.01


number = st.floats(allow_nan=True, allow_infinity=True, width=32)
small = st.floats(-0.03, 0.03)
stamps = st.integers(-5, 205).map(lambda tenths: tenths * SECOND)
anything = st.lists(st.one_of(small, number), max_size=4).map(tuple)
arms = st.builds(
    ArmState,
    state=st.sampled_from(["ENABLED", "ENABLED", "ENABLED", "DISABLED", "PAUSED", "FAULT", ""]),
    is_homed=st.sampled_from([True, True, True, False]),
    is_busy=st.sampled_from([False, False, False, True]),
    stamp=st.one_of(st.just(NOW), stamps),
    setpoint=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.just(-0.1)),
    measured=st.none(),
).map(lambda arm: dataclasses.replace(arm, measured=arm.setpoint))
requests = st.builds(
    Request,
    action=st.one_of(st.tuples(small, small), anything),
    image_stamp=st.one_of(st.just(NOW), stamps),
    feasible=st.sampled_from([True, True, True, False]),
)
limit_sets = st.builds(
    ArmLimits,
    workspace_margin=st.floats(0.0, 0.1),
    outside=st.sampled_from(["clamp", "reject"]),
    max_step=st.floats(1e-4, 0.05),
)


@settings(deadline=None)
@given(limit_sets, requests, arms, st.one_of(st.just(END), stamps))
def test_nothing_outside_any_limit_ever_leaves(
    limits: ArmLimits, request: Request, arm: ArmState, motion_end: int
) -> None:
    decision = decide(limits, request, arm, now=NOW, motion_end=motion_end)
    assert decision.outcome in ("sent", "clamped", "held", "refused")
    assert decision.moves == (decision.outcome in ("sent", "clamped"))
    assert bool(decision.reason) == (decision.outcome != "sent")
    if not decision.moves:
        assert decision.displacement == (0.0, 0.0)
        return
    for axis in range(2):
        assert limits.low[axis] <= decision.goal[axis] <= limits.high[axis]
        assert abs(decision.displacement[axis]) <= limits.max_step + ROUNDING
        assert math.isclose(
            arm.setpoint[axis] + decision.displacement[axis], decision.goal[axis], abs_tol=1e-12
        )
    assert request.feasible and motion_end <= request.image_stamp
    assert 0 <= NOW - request.image_stamp <= limits.max_image_age * SECOND
    assert arm.state == "ENABLED" and arm.is_homed and not arm.is_busy
    assert 0 <= NOW - arm.stamp <= limits.max_state_age * SECOND


@settings(deadline=None)
@given(limit_sets, requests, arms)
def test_the_filter_is_idempotent(limits: ArmLimits, request: Request, arm: ArmState) -> None:
    first = decide(limits, request, arm, now=NOW, motion_end=END)
    if not first.moves:
        return
    again = dataclasses.replace(request, action=first.displacement)
    second = decide(limits, again, arm, now=NOW, motion_end=END)
    assert second.moves and second.goal == pytest.approx(first.goal, abs=1e-12)
    assert second.outcome == "sent"


@settings(deadline=None)
@given(
    st.tuples(st.floats(-0.015, 0.015), st.floats(-0.015, 0.015)),
    st.tuples(st.floats(-0.115, 0.115), st.floats(-0.115, 0.115)),
)
def test_a_safe_action_is_never_altered(
    action: tuple[float, float], position: tuple[float, float]
) -> None:
    decision = ask(Request(action, NOW), at(*position))
    assert decision.outcome == "sent" and decision.displacement == pytest.approx(action, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_step": 1.0}, "outside"),
        ({"workspace_low": [0.1]}, "needs 2 numbers"),
        ({"workspace_low": [0.2, 0.2]}, "the workspace is empty"),
        ({"outside": "ignore"}, "clamp, reject"),
        ({"max_stp": 0.01}, "did you mean 'max_step'"),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(values: dict, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        build(ArmLimits, values, "arm_node")
