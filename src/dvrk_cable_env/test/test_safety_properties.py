"""Random actions, poses, states and stamps by the million through the filter.

Every run takes another part of them unless LS3_FILTER_SEED is given; a failure names the seed.
`make test` runs a share. A million and more, in a minute or two:

    source tools/env.sh
    LS3_FILTER_CASES=1200000 pytest src/dvrk_cable_env/test/test_safety_properties.py -s
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from typing import Any

import numpy as np
import pytest

from dvrk_cable_env.arm.limits import ROUNDING, ArmLimits, ArmState, Decision, Request
from dvrk_cable_env.arm.safety import decide

pytestmark = pytest.mark.background

CASES = int(os.environ.get("LS3_FILTER_CASES", "60000"))
SEED = int(os.environ.get("LS3_FILTER_SEED", "0")) or secrets.randbits(32)
BATCH = 2_000  # cases under the same limits
SECOND = 1_000_000_000
TINY = 1e-12
STATES = np.array(["ENABLED", "DISABLED", "PAUSED", "FAULT", ""])
NUMBERS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e-7, 1e9, -1e300, 1.8e308])
OFFSETS = np.array([0, 1, -1, 1_000, -1_000, SECOND // 10, -SECOND // 10])
Columns = dict[str, np.ndarray]


def random_limits(rng: np.random.Generator) -> ArmLimits:
    centre, half = rng.uniform(-0.05, 0.05, 2), rng.uniform(0.02, 0.13, 2)
    return ArmLimits(
        frame="base",
        workspace_low=tuple(centre - half),
        workspace_high=tuple(centre + half),
        workspace_margin=float(rng.choice([0.0, rng.uniform(0.0, 0.019)])),
        outside=str(rng.choice(["clamp", "reject"])),
        max_step=float(10 ** rng.uniform(-4, np.log10(0.05))),
        max_mean_speed=float(10 ** rng.uniform(-3, 0)),
        max_mean_acceleration=float(10 ** rng.uniform(-3, 1)),
        max_tracking_error=float(10 ** rng.uniform(-4, np.log10(0.05))),
        max_image_age=float(10 ** rng.uniform(-2, 2)),
        max_state_age=float(10 ** rng.uniform(-2, 1)),
        max_silence=float(10 ** rng.uniform(-1, 1)),
        max_clock_skew=float(rng.choice([0.0, 0.1, 1.0])),
    )


def around(rng: np.random.Generator, base: Any, span: Any, number: int) -> np.ndarray:
    """Stamps (ns) near `base`: at it, within `span`, a nanosecond beyond it, or anywhere."""
    exact = base + rng.choice(OFFSETS, number)
    edge = base - span + rng.choice(OFFSETS[:3], number)
    near = base - (rng.uniform(-0.2, 1.1, number) * span).astype(np.int64)
    wild = rng.integers(-SECOND, 2**62, number)
    wild[::2] = 0
    kind = rng.choice(4, number, p=[0.3, 0.1, 0.57, 0.03])
    return np.choose(kind, [exact, edge, near, wild]).astype(np.int64)


def spoil(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """Replace a share of the numbers by those that programs stumble over."""
    return np.where(rng.random(values.shape) < share, rng.choice(NUMBERS, values.shape), values)


def generate(rng: np.random.Generator, limits: ArmLimits, number: int) -> Columns:
    """Cases of which a fair part is safe, and most of the others break one limit only."""
    low, high = np.array(limits.low), np.array(limits.high)
    step = limits.max_step
    now = np.where(rng.random(number) < 0.01, 0, rng.integers(10 * SECOND, 10**12, number))
    action = rng.uniform(-1.02, 1.02, (number, 2)) * step
    exact = rng.choice([-step, step, 0.0, step + ROUNDING / 2, step + 2 * ROUNDING], (number, 2))
    action = np.where(rng.random((number, 2)) < 0.1, exact, action)
    setpoint = rng.uniform(low - 0.3 * step, high + 0.3 * step, (number, 2))
    edge = np.where(rng.random((number, 2)) < 0.5, low, high)
    setpoint = np.where(rng.random((number, 2)) < 0.1, edge, setpoint)
    setpoint = np.column_stack([setpoint, rng.uniform(-0.2, -0.05, number)])
    gap = rng.normal(size=(number, 3))
    gap *= (limits.max_tracking_error * rng.uniform(0, 1.1, number) / np.linalg.norm(gap, axis=1))[
        :, None
    ]
    image = around(rng, now, round(limits.max_image_age * SECOND), number)
    return {
        "action": spoil(rng, action, 0.02),
        "size": rng.choice([2, 1, 0, 3], number, p=[0.97, 0.01, 0.01, 0.01]),
        "feasible": rng.random(number) < 0.97,
        "image": image,
        "now": now,
        "motion_end": image
        - np.choose(
            rng.choice(3, number),
            [image, rng.integers(-SECOND // 50, SECOND, number), rng.choice(OFFSETS[:3], number)],
        ),
        "last": np.where(
            rng.random(number) < 0.3, 0, now - (10 ** rng.uniform(5, 10, number)).astype(np.int64)
        ),
        "state": rng.choice(STATES, number, p=[0.96, 0.01, 0.01, 0.01, 0.01]),
        "homed": rng.random(number) < 0.98,
        "busy": rng.random(number) < 0.02,
        "stamp": around(rng, now, round(limits.max_state_age * SECOND), number),
        "silence": rng.uniform(0.0, 1.05, number) * limits.max_silence,
        "frame": rng.choice(["base", "camera", ""], number, p=[0.98, 0.01, 0.01]),
        "setpoint": spoil(rng, setpoint, 0.002),
        "measured": spoil(rng, setpoint + gap, 0.002),
    }


def run(limits: ArmLimits, cases: Columns) -> list[tuple[Decision, Decision | None]]:
    """The filter's answer to each case, and to that answer asked for again."""
    columns = {name: column.tolist() for name, column in cases.items()}
    answers = []
    for values in zip(*columns.values(), strict=True):
        case = dict(zip(columns, values, strict=True))
        arm = ArmState(
            case["state"],
            case["homed"],
            case["busy"],
            case["stamp"],
            case["frame"],
            tuple(case["setpoint"]),
            tuple(case["measured"]),
            case["silence"],
        )
        action = tuple([*case["action"], 0.0][: case["size"]])
        request = Request(action, case["image"], case["feasible"])
        times = {name: case[name] for name in ("now", "motion_end")}
        times["last_command"] = case["last"]
        first = decide(limits, request, arm, **times)
        again = dataclasses.replace(request, action=first.displacement)
        answers.append((first, decide(limits, again, arm, **times) if first.moves else None))
    return answers


def may_move(limits: ArmLimits, case: Columns) -> np.ndarray:
    """Which cases break no limit but, perhaps, those that an action is clamped to.

    Written apart from the filter, in arrays. Without two numbers there is no action.
    """
    now, image, stamp = case["now"], case["image"], case["stamp"]
    skew = limits.max_clock_skew * 1e9
    finite = np.isfinite(np.column_stack([case["action"], case["setpoint"], case["measured"]]))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.linalg.norm(case["setpoint"] - case["measured"], axis=1)
        near = np.isclose(gap, limits.max_tracking_error, rtol=1e-9)
        short = np.abs(case["action"]).max(axis=1) <= limits.max_step + ROUNDING
    return (
        case["feasible"]
        & (case["size"] == 2)
        & finite.all(axis=1)
        & short
        & (now > 0)
        & (image > 0)
        & (image - now <= skew)
        & (image >= case["motion_end"])
        & (now - image <= limits.max_image_age * 1e9)
        & (case["state"] == "ENABLED")
        & case["homed"]
        & ~case["busy"]
        & (stamp > 0)
        & (stamp - now <= skew)
        & (now - stamp <= limits.max_state_age * 1e9)
        & (case["silence"] <= limits.max_silence)
        & (case["frame"] == "base")
        & ((gap <= limits.max_tracking_error) | near)
    )


def check(limits: ArmLimits, cases: Columns) -> dict[str, int]:
    """Assert every property of one batch and count its outcomes."""
    answers = run(limits, cases)
    outcome = np.array([first.outcome for first, _ in answers])
    moves = np.array([first.moves for first, _ in answers])
    sent = np.array([first.displacement for first, _ in answers])
    assert set(outcome) <= {"sent", "clamped", "held", "refused"}
    assert (moves == np.isin(outcome, ["sent", "clamped"])).all()
    assert ((outcome == "held") == ~cases["feasible"]).all()
    assert (np.array([bool(first.reason) for first, _ in answers]) == (outcome != "sent")).all()
    assert (sent[~moves] == 0.0).all()

    allowed = may_move(limits, cases)
    assert not (moves & ~allowed).any(), "a limit was broken and the arm was moved"

    # inside the workspace, no longer than a step, no faster than the limits
    goal = np.array([first.goal for first, _ in answers if first.moves]).reshape(-1, 2)
    assert (goal >= limits.low).all() and (goal <= limits.high).all()
    assert (np.abs(sent[moves]) <= limits.max_step + ROUNDING).all()
    assert np.allclose(cases["setpoint"][moves, :2] + sent[moves], goal, rtol=0, atol=TINY)
    elapsed = np.where(cases["last"] > 0, (cases["now"] - cases["last"]) / 1e9, np.inf)
    rate = np.minimum(limits.max_mean_speed * elapsed, limits.max_mean_acceleration * elapsed**2)
    length = np.linalg.norm(sent, axis=1)
    assert (length[moves] <= rate[moves] + ROUNDING + TINY).all()

    # what is safe in every respect is sent as it was asked
    safe = allowed & ~np.isclose(
        np.nan_to_num(np.linalg.norm(cases["setpoint"] - cases["measured"], axis=1)),
        limits.max_tracking_error,
        rtol=1e-9,
    )
    asked = cases["setpoint"][:, :2] + cases["action"]
    with np.errstate(invalid="ignore", over="ignore"):
        safe &= (asked >= limits.low).all(axis=1) & (asked <= limits.high).all(axis=1)
        safe &= np.linalg.norm(cases["action"], axis=1) <= rate
        safe &= np.abs(cases["action"]).max(axis=1) <= limits.max_step
    assert (outcome[safe] == "sent").all()
    assert (np.abs(sent[safe] - cases["action"][safe]) <= TINY).all()

    # asked for again, what was sent is sent
    for first, second in answers:
        if second is not None:
            assert second.outcome == "sent", (first, second)
            assert np.allclose(second.goal, first.goal, rtol=0, atol=TINY)
            assert np.allclose(second.displacement, first.displacement, rtol=0, atol=TINY)
    counts = {name: int((outcome == name).sum()) for name in ("sent", "clamped", "refused", "held")}
    return {"safe": int(safe.sum()), **counts}


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_no_case_out_of_many_leaves_the_limits(record_property: Any) -> None:
    rng = np.random.default_rng(SEED)
    print(f"LS3_FILTER_SEED={SEED}")  # pytest shows it where the test fails
    total = dict.fromkeys(("safe", "sent", "clamped", "refused", "held"), 0)
    done = 0
    while done < CASES:
        limits, number = random_limits(rng), min(BATCH, CASES - done)
        for name, count in check(limits, generate(rng, limits, number)).items():
            total[name] += count
        done += number
    print(f"{done} cases: {total}")
    record_property("cases", done)
    # a generator that no longer makes such cases would make the properties above idle
    assert min(total[name] for name in ("safe", "sent", "clamped", "refused", "held")) > done // 200
