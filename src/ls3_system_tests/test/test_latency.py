"""What the graph adds to a plan: the sums, and a short measurement of the real graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from ls3_common.errors import UserError
from ls3_system_tests.latency import measure
from ls3_system_tests.trace import Trace

MS = 1_000_000
STAMP = 7_000_000_000


def traced(plan_stamp: int = STAMP) -> Trace:
    """One step of a frame at 100 ms, whose plan goes out at 160 ms after 50 ms of solving."""
    trace = Trace()
    for hop, sent in (("clock", 98), ("camera", 100), ("mask", 104), ("latent", 107)):
        trace.frame(hop, STAMP, sent * MS)
    trace.request((0, 3), 109 * MS)
    trace.plan((0, 3), plan_stamp, 160 * MS, 0.05)
    trace.command((0, 3), plan_stamp, 162 * MS, 163 * MS)
    return trace


def test_overhead_is_all_but_render_and_solver() -> None:
    (step,) = traced().steps
    assert step == {
        "overhead": 13.0,
        "render": 2.0,
        "segmentation": 4.0,
        "encoder": 3.0,
        "step_request": 5.0,
        "planner": 1.0,  # from the later of latent and request
        "arm": 2.0,
        "receipt": 1.0,
        "solve": 50.0,
    }
    figures = traced().figures()
    assert (figures["steps"], figures["graph_overhead_ms_median"]) == (1, 13.0)


def test_a_frame_whose_stamp_did_not_come_through_is_counted_as_stray() -> None:
    trace = traced(plan_stamp=STAMP + 1)
    assert (trace.steps, trace.strays) == ([], 1)
    with pytest.raises(UserError, match="no control step"):
        trace.figures()


@pytest.mark.timeout(300)
def test_the_real_graph_hands_each_frames_stamp_on_to_the_command(domain: int) -> None:
    figures = measure(20, domain)
    assert figures["steps"] == 20
    assert figures["strays"] <= 5  # until the observer has met all nodes; an altered stamp: all
    parts = ("segmentation", "encoder", "arm", "receipt", "solve")
    assert all(figures[f"hop_{part}_ms_median"] > 0 for part in parts)
    # loose: other things may run on this computer
    assert 1 < figures["graph_overhead_ms_median"] < 200


def test_without_ros_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(__file__).parent))
    with pytest.raises(UserError, match="no `ros2` command"):
        measure(1, 77)
