"""The judge of the fault campaign: what it must notice, and what it must let pass."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from dvrk_cable_env.arm.limits import ArmLimits
from ls3_common.errors import DataError
from ls3_system_tests.faults import check, report
from ls3_system_tests.faults.check import ArmMove, Heard, Onset, Point, Ready
from ls3_system_tests.faults.kinds import (
    FAULTS,
    HOLD,
    INJECTIONS,
    NO_MOVE,
    NODES,
    NOTHING,
    combinations,
    singles,
)

pytestmark = pytest.mark.background

LIMITS = ArmLimits(max_image_age=1.0)
MS = 1_000_000
S = 1_000_000_000


def point(at: float, x: float, y: float = 0.0) -> Point:
    """Something told or sent at `at` seconds."""
    return Point(round(at * S), round(at * S), x, y)


def recorded() -> Heard:
    """Two good steps."""
    return Heard(
        setpoints=[point(1.0, 0.0), point(1.5, 0.01), point(2.0, 0.01)],
        moves=[point(1.2, 0.01), point(2.1, 0.02, 0.015)],
        answers=[ArmMove(round(2.1 * S), round(2.0 * S))],
    )


def test_good_steps_are_no_violation() -> None:
    assert check.violations(recorded(), LIMITS, 3 * S) == []


@pytest.mark.parametrize(
    ("move", "what"),
    [
        (point(2.1, 0.0251), "a step of"),
        (point(2.1, 0.01, -0.0151), "a step of"),
        (point(2.1, math.nan), "not finite"),
        (point(2.1, 0.01, math.inf), "not finite"),
        (point(1.22, 0.014), "after the last"),
        (point(2.1, 0.02)._replace(z=0.0021), "above the tip"),
        (point(2.1, 0.02)._replace(z=math.nan), "not finite"),
    ],
)
def test_each_limit_of_a_recorded_goal_is_noticed(move: Point, what: str) -> None:
    seen = recorded()
    seen.moves[1] = move
    found = check.violations(seen, LIMITS, 3 * S)
    assert any(what in text for text in found), found


def test_a_goal_outside_the_workspace_is_noticed_also_where_the_step_is_small() -> None:
    seen = Heard(setpoints=[point(1.0, 0.129)], moves=[point(1.2, 0.1305)])
    assert "outside the workspace" in check.violations(seen, LIMITS, 3 * S)[0]
    narrow = dataclasses.replace(LIMITS, workspace_margin=0.01)
    assert check.violations(recorded(), narrow, 3 * S) == []


def test_a_step_too_fast_after_one_of_the_last_look_is_noticed() -> None:
    seen = recorded()
    seen.moves = [point(1.2, 0.014)]
    assert check.violations(seen, LIMITS, 3 * S) == []
    seen.before = point(1.18, 0.0)
    assert "after the last" in check.violations(seen, LIMITS, 3 * S)[0]


def test_a_goal_before_any_setpoint_is_noticed() -> None:
    assert check.violations(Heard(moves=[point(1.0, 0.0)]), LIMITS, 3 * S) != []


@pytest.mark.parametrize("age_s", [1.01, -0.2, 60.0])
def test_a_step_on_a_frame_of_the_wrong_time_is_noticed(age_s: float) -> None:
    seen = Heard(answers=[ArmMove(100 * S, round((100 - age_s) * S))])
    assert "a step on a frame" in check.violations(seen, LIMITS, 3 * S)[0]
    assert check.violations(Heard(answers=[ArmMove(100 * S, 0)]), LIMITS, 3 * S) != []


def test_a_stop_that_was_claimed_of_an_arm_that_goes_on_is_noticed() -> None:
    claim = "the operator called ~/stop; at rest after 1.2 mm"
    seen = Heard(
        setpoints=[point(t, x) for t, x in ((0.9, 0.0), (1.0, 0.001), (1.1, 0.0011), (1.9, 0.01))],
        states=[Ready(1 * S, False, claim), Ready(2 * S, False, claim)],
    )
    assert check.violations(seen, LIMITS, 3 * S) == []
    seen.setpoints.append(point(1.3, 0.0013))
    assert "the arm went on by" in check.violations(seen, LIMITS, 3 * S)[0]
    assert check.violations(seen, LIMITS, round(1.2 * S)) == [], "then the scene is reset"
    seen.states = [Ready(1 * S, False, "NOT STOPPED: the arm still moves")]
    assert check.violations(seen, LIMITS, 3 * S) == []


def test_hold_is_when_arm_node_sent_it() -> None:
    onsets = [Onset(HOLD, 10 * S)]
    seen = Heard(holds=[9 * S, 10 * S + 150 * MS], states=[Ready(5 * S, True, "")])
    assert check.hold_ms(seen, onsets, 11 * S, arm_lives=True) == pytest.approx(150.0)
    seen.moves = [point(10.3, 0.0)]
    assert check.hold_ms(seen, onsets, 11 * S, arm_lives=True) == pytest.approx(300.0), (
        "a goal sent after the hold is no hold"
    )


def test_a_hold_that_never_came_is_infinite_and_fails_the_row() -> None:
    seen = Heard(holds=[9 * S, 12 * S], states=[Ready(5 * S, True, "")])
    assert check.hold_ms(seen, [Onset(HOLD, 10 * S)], 11 * S, arm_lives=True) == math.inf
    assert not report.passed(row(hold_ms="never"))


def test_an_arm_that_was_held_already_or_is_gone_sends_none() -> None:
    held = Heard(states=[Ready(5 * S, False, "stopped")])
    assert check.hold_ms(held, [Onset(HOLD, 10 * S)], 11 * S, arm_lives=True) is None
    assert [check.arm_lives(one) for one in singles(0) if one.name.endswith("_arm")] == [
        *(False, False, True)
    ], "a node that is hung up holds before it leaves"
    gone = Heard(states=[Ready(5 * S, True, "")])
    assert check.hold_ms(gone, [Onset(HOLD, 10 * S)], 11 * S, arm_lives=False) == 0.0
    gone.moves = [point(10.9, 0.0)]
    assert check.hold_ms(gone, [Onset(HOLD, 10 * S)], 11 * S, arm_lives=False) == pytest.approx(900)


def test_the_hold_of_an_earlier_fault_counts_once() -> None:
    onsets = [Onset(HOLD, 10 * S), Onset(HOLD, 10 * S + 130 * MS)]
    seen = Heard(holds=[10 * S + 120 * MS], states=[Ready(5 * S, True, "")])
    assert check.hold_ms(seen, onsets, 11 * S, arm_lives=True) == pytest.approx(120.0)
    seen.moves = [point(10.125, 0.0)]
    assert check.hold_ms(seen, onsets, 11 * S, arm_lives=True) == math.inf, "it moved after that"
    other = [Onset(NO_MOVE, 10 * S), onsets[1]]
    assert check.hold_ms(seen, other, 11 * S, arm_lives=True) == math.inf, "no cause to hold"


def test_of_what_a_step_needs_the_last_goal_after_the_onset_counts() -> None:
    seen = Heard(moves=[point(9.0, 0.0), point(10.05, 0.01), point(10.7, 0.02), point(12.0, 0.03)])
    assert check.hold_ms(seen, [Onset(NO_MOVE, 10 * S)], 11 * S, True) == pytest.approx(700.0)
    assert check.hold_ms(Heard(), [Onset(NO_MOVE, 10 * S)], 11 * S, True) == 0.0
    assert check.hold_ms(seen, [Onset(NOTHING, 10 * S)], 11 * S, True) is None
    both = [Onset(NO_MOVE, 10 * S), Onset(NO_MOVE, round(10.6 * S))]
    assert check.hold_ms(seen, both, 11 * S, True) == pytest.approx(700.0), "the slowest"


def test_rest_is_when_the_setpoint_changed_last() -> None:
    seen = recorded()
    assert check.rest_ms(seen, [Onset(NO_MOVE, 1 * S)], 3 * S) == pytest.approx(500.0)
    assert check.rest_ms(seen, [Onset(NOTHING, 1 * S)], 3 * S) is None


def row(**values: Any) -> dict[str, Any]:
    good = {"index": 0, "faults": ["a", "b"], "violations": [], "hangs": [], "unreadable": []}
    return {
        **good,
        "hold_ms": 10.0,
        "rest_ms": 0.0,
        "episodes": 1,
        "recovered": True,
        "moves": 0,
        "recover_s": 0.3,
        "commit": "abc",
        **values,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"violations": ["a step"]},
        {"hangs": ["arm is silent"]},
        {"unreadable": ["file"]},
        {"recovered": False},
        {"hold_ms": 200.1},
    ],
)
def test_whatever_goes_wrong_fails_a_row_and_is_in_the_table(wrong: dict[str, Any]) -> None:
    assert report.passed(row()) and report.passed(row(hold_ms=None))
    bad = row(index=7, **wrong)
    assert not report.passed(bad)
    assert report.metrics([row(), bad])["failed"] == [7]
    assert "row 7, a + b" in report.table([row(), bad])


def test_figures_count_what_they_are_named_after() -> None:
    rows = [
        row(index=0, faults=["none"], hold_ms=None),
        row(index=1, faults=["a"], hold_ms=50.0),
        row(index=2, hold_ms=250.0, violations=["x", "y"]),
        row(index=3, hold_ms="never", hangs=["z"], unreadable=["f"], recovered=False),
        row(index=4, recovered=False, recovered_anew=True),
        row(index=5, recovered=False, recovered_anew=False),
    ]
    figures = report.metrics(rows)
    assert (figures["combinations"], figures["faults"], figures["rows"]) == (4, 9, 6)
    assert figures["limit_violations"] == 2
    assert figures["hold_sent_ms_max"] is None, "of these no fault takes the arm"
    assert (figures["hold_ms_median"], figures["hold_ms_max"]) == (30.0, 250.0)
    assert (figures["holds_over_200_ms"], figures["holds_missing"]) == (1, 1)
    assert (figures["hangs"], figures["unreadable_episodes"]) == (1, 1)
    assert (figures["recovered"], figures["recovered_anew"]) == (3, 1)


def test_holds_that_arm_node_must_send_have_figures_of_their_own() -> None:
    rows = [
        row(faults=["robot_lost"], hold_ms=120.0),
        row(faults=["robot_lost", "camera_lost"], hold_ms=300.0),
        row(faults=["robot_pause", "plan_outward"], hold_ms=20.0),
        row(faults=["robot_pause"], hold_ms=None),
    ]
    figures = report.metrics(rows)
    assert (figures["hold_sent_ms_median"], figures["hold_sent_ms_max"]) == (70.0, 120.0)


def test_rows_are_kept_and_a_line_that_was_cut_off_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert report.read_rows(path) == []
    for index in range(3):
        report.append_row(path, row(index=index))
    path.write_text(path.read_text()[:-20])
    assert [kept["index"] for kept in report.read_rows(path)] == [0, 1]
    report.append_row(path, row(index=2))
    assert [kept["index"] for kept in report.read_rows(path)] == [0, 1, 2]
    path.write_text("{\n" + json.dumps(row()) + "\n")
    with pytest.raises(DataError, match="damaged in line"):
        report.read_rows(path)


def test_what_is_drawn_depends_on_the_seed_only() -> None:
    few, many = combinations(5, 3, 40), combinations(300, 3, 40)
    assert many[:5] == few
    assert combinations(5, 4, 40) != few
    assert [one.index for one in few] == [40, 41, 42, 43, 44]
    for one in many:
        assert 2 <= len(set(one.faults)) == len(one.faults) <= 3
        nodes = [fault.node for fault in one.faults if fault.node]
        assert len(set(nodes)) == len(nodes), "no process is killed and stopped at once"
    assert {fault for one in many for fault in one.faults} == set(FAULTS)


def test_alone_every_fault_comes_once_after_none() -> None:
    names = [one.name for one in singles(0)]
    assert names[0] == "none" and len(set(names)) == len(names) == len(FAULTS) + 1
    assert {f"{how}_{node}" for how in ("kill", "stop", "hangup") for node in NODES} <= set(names)
    assert set(INJECTIONS) <= set(names)
