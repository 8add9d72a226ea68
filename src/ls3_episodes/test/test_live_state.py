"""What picture and page show of a graph's messages, by a clock of the test's own."""

from __future__ import annotations

import itertools
import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ls3_common.topics import RETREAT_EPISODE
from ls3_episodes.film import view
from ls3_episodes.film.scene import FilmConfig
from ls3_episodes.live.state import HOLDS, NODES, LiveState, MotionReport

pytestmark = pytest.mark.background

WORDS = "no plan, (5) fails: P(in the safe set) at most 0.49 of 0.738 asked"


class Moment:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def live(moment: Moment) -> LiveState:
    return LiveState(FilmConfig(title="a task", width=0.3), 50, moment)


def plan(episode: int = 0, step: int = 0, **changes: Any) -> Any:
    values = {
        "feasible": True,
        "action": [0.01, 0.0],
        "action_sequence": [0.01, 0.0, 0.0, 0.01],
        "imagined": np.arange(8.0),
        "safe_probability": 0.9,
        "constraint_probability": 0.1,
        "value": -12.0,
        "delta_safe": 0.8,
        "solve_time": 0.1,
        "reason": "",
    }
    return SimpleNamespace(episode=episode, step=step, **(values | changes))


def no_plan(episode: int = 0, step: int = 0, reason: str = "") -> Any:
    held = {"feasible": False, "action": [0.0, 0.0], "action_sequence": [0.0, 0.0]}
    return plan(episode, step, reason=reason, **held)


def command(episode: int, step: int, outcome: str, reason: str) -> Any:
    return SimpleNamespace(episode=episode, step=step, outcome=outcome, reason=reason)


def page(live: LiveState) -> Any:
    """As the browser reads it: NaN would not be JSON."""
    return json.loads(json.dumps(live.page(can_stop=True), allow_nan=False))


def test_nothing_is_known_at_first_and_nothing_is_called_fresh(live: LiveState) -> None:
    shown = page(live)
    assert shown["silent"] is None
    assert {stream["age"] for stream in shown["streams"].values()} == {None}
    assert all(stream["stale"] for stream in shown["streams"].values())
    assert live.frame().stale == "no camera yet"
    assert shown["status"] == "STALE"
    assert (shown["episode"], shown["steps"], shown["arm"], shown["holds"]) == (None, [], None, [])


def test_the_curves_are_of_one_episode(live: LiveState) -> None:
    live.plan(plan(0, 0))
    live.plan(no_plan(0, 1))
    assert page(live)["steps"] == [[0, True, 0.9, 0.1, -12.0], [1, False, 0.9, 0.1, None]]
    assert page(live)["episode"] == 1
    live.plan(plan(1, 0, safe_probability=0.5))
    assert page(live)["steps"] == [[0, True, 0.5, 0.1, -12.0]]
    assert page(live)["episode"] == 2
    assert len(live.scene.shown.history) == 1
    live.plan(plan(1, 0))  # another run, whose first episode has the same number
    live.plan(plan(1, 1))
    live.plan(plan(1, 0))
    assert len(page(live)["steps"]) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["plan", "arm"])))
def test_a_hold_is_listed_once_with_the_planners_words(
    live: LiveState, order: tuple[str, ...]
) -> None:
    """Two topics, whose messages may overtake each other."""
    comes = {
        "plan": lambda: live.plan(no_plan(0, 1, WORDS)),
        "arm": lambda: live.command(command(0, 1, "held", WORDS)),
    }
    live.plan(plan(0, 0))
    for what in order:
        comes[what]()
    (held,) = page(live)["holds"]
    assert (held["episode"], held["step"], held["reason"]) == (1, 2, WORDS)
    assert live.frame().reason == WORDS
    live.plan(plan(0, 2))
    assert live.frame().reason == ""
    assert len(page(live)["holds"]) == 1


def test_words_about_another_plan_are_not_shown_with_this_one(live: LiveState) -> None:
    live.plan(no_plan(0, 0, WORDS))
    live.plan(no_plan(0, 1))
    assert live.frame().reason == ""


def test_a_hold_without_words_is_listed_with_those_of_the_arm(live: LiveState) -> None:
    live.plan(no_plan(0, 1))
    live.command(command(0, 1, "held", "no feasible plan"))
    assert [row["reason"] for row in page(live)["holds"]] == ["no feasible plan"]


def test_refused_plans_are_listed_and_what_was_sent_is_not(live: LiveState) -> None:
    live.command(command(0, 3, "sent", ""))
    live.command(command(0, 4, "refused", "image older than the last motion"))
    live.command(command(RETREAT_EPISODE, 0, "refused", "the arm is in FAULT"))
    held = page(live)["holds"]
    assert [(row["episode"], row["reason"]) for row in held] == [
        (None, "the arm is in FAULT"),
        (1, "image older than the last motion"),
    ]


def test_what_is_old_is_called_stale_and_not_drawn_as_fresh(
    live: LiveState, moment: Moment
) -> None:
    live.see("camera", np.ones((8, 8, 3), np.uint8), moment.now)
    live.see("mask", np.ones((8, 8, 1), np.uint8), moment.now)
    live.tip((0.0, 0.0, 0.1), moment.now)
    live.plan(plan())
    shown = live.frame()
    assert (shown.stale, shown.status) == ("", "FEASIBLE PLAN")
    assert shown.mask is not None
    assert len(shown.path) == 3
    moment.now += 3.0
    shown = live.frame()
    assert shown.stale == "last camera frame 3 s ago"
    assert shown.mask is None
    assert page(live)["streams"]["camera"] == {"age": 3.0, "patience": 2.0, "stale": True}
    assert page(live)["streams"]["plan"]["stale"] is False
    assert page(live)["silent"] == 3.0
    moment.now += 9.0
    assert live.frame().status == "PLAN 12 s OLD"
    assert live.frame().path == ()
    live.hear("camera")
    assert live.frame().stale == ""
    assert page(live)["silent"] == 0.0


def test_a_stale_camera_is_seen_in_the_picture(live: LiveState, moment: Moment) -> None:
    live.see("camera", np.full((64, 64, 3), (200, 40, 40), np.uint8), moment.now)
    x, y, side = view.CAMERA_BOX
    fresh = view.draw(live.frame())[y : y + side, x : x + side].astype(int)
    assert abs(fresh[..., 0] - fresh[..., 1]).min() > 100
    moment.now += 60
    old = view.draw(live.frame())[y : y + side, x : x + side].astype(int)
    assert (old[:200, :, 0] == old[:200, :, 1]).all()  # grey
    red = tuple(bytes.fromhex(view.RED[1:]))
    assert tuple(old[side // 2, 2]) == red
    assert (view.draw(live.frame())[90, 1000] == red).all()  # the status field


def test_an_image_is_as_old_as_its_message_and_not_as_its_reading(
    live: LiveState, moment: Moment
) -> None:
    live.see("camera", np.ones((8, 8, 3), np.uint8), moment.now - 5.0)
    assert live.frame().stale == "last camera frame 5 s ago"


def test_a_plan_that_is_not_finite_can_be_drawn(live: LiveState, moment: Moment) -> None:
    live.see("camera", np.ones((8, 8, 3), np.uint8), moment.now)
    live.tip((0.0, 0.0, 0.1), moment.now)
    nothing = [math.nan] * 4
    live.plan(plan(action_sequence=nothing, safe_probability=math.inf, value=math.inf))
    assert view.draw(live.frame()).shape == (720, 1280, 3)
    assert page(live)["steps"] == [[0, True, None, 0.1, None]]


def test_a_person_who_steers_sees_arm_and_steps(live: LiveState) -> None:
    live.hear("camera")
    live.move(MotionReport(False, False, "no foot on the pedal", "PSM1_base"))
    assert (live.frame().status, live.frame().reason) == ("ARM NOT READY", "no foot on the pedal")
    live.move(MotionReport(False, True, ""))
    assert (live.frame().status, live.frame().reason) == ("ARM READY", "")
    nothing = dict.fromkeys(("safe_probability", "constraint_probability", "value"), math.nan)
    live.plan(plan(imagined=[], delta_safe=math.nan, **nothing))
    assert live.frame().status == "STEP BY HAND"
    assert page(live)["steps"] == [[0, True, None, None, None]]
    assert view.draw(live.frame()).shape == (720, 1280, 3)
    live.robot("ENABLED", True)
    live.tip((0.01, 0.02, -0.12), 100.0)
    shown = page(live)
    assert shown["robot"] == {"state": "ENABLED", "homed": True}
    assert shown["tip"] == [0.01, 0.02, -0.12]
    assert shown["arm"]["ready"] is True


def test_the_arm_is_known_while_its_node_reports(live: LiveState, moment: Moment) -> None:
    live.move(MotionReport(False, True, ""))  # latched, and said once
    moment.now += 60.0
    assert page(live)["streams"]["arm"]["stale"] is True
    assert live.frame().status == "ARM SILENT"
    live.diagnose("segmentation_node", 0, "ok", [])
    assert page(live)["streams"]["arm"]["stale"] is True
    live.diagnose("arm_node", 0, "ok", [("accepted", "3")])
    assert page(live)["streams"]["arm"]["stale"] is False
    assert live.frame().status == "ARM READY"
    moment.now += 4.0
    nodes = page(live)["nodes"]
    assert [(node["name"], node["stale"]) for node in nodes] == [
        ("arm_node", True),
        ("segmentation_node", True),
    ]
    assert nodes[0]["values"] == [["accepted", "3"]]


def test_a_long_run_and_a_noisy_graph_fill_no_memory(live: LiveState) -> None:
    for number in range(10 * HOLDS):
        live.plan(no_plan(number, 0))
        live.diagnose(f"node_{number}", 0, "ok", [])
    shown = page(live)
    assert len(shown["holds"]) == HOLDS
    assert shown["holds"][0]["episode"] == 10 * HOLDS
    assert len(shown["nodes"]) == NODES
    assert len(shown["steps"]) == 1


def test_the_task_and_what_the_operator_is_asked(live: LiveState) -> None:
    live.task(False, True)
    live.ask("lay the cable, then call ~/continue")
    assert page(live)["task"] == {"success": False, "violation": True}
    assert page(live)["request"] == "lay the cable, then call ~/continue"
    live.ask("")
    assert page(live)["request"] == ""
