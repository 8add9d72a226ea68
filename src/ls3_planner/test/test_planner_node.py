from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from ls3_models.bundle import load_bundle

SIZE = 32


class Questions:
    """Asks a running planner_node and reads its plans and its health."""

    def __init__(self, bench: Any, until: Any, model: Path) -> None:
        from diagnostic_msgs.msg import DiagnosticArray

        from ls3_interfaces.msg import Latent, Plan, StepRequest

        self.bench, self.until = bench, until
        self.identity = load_bundle(model).identity
        self._latent, self._request = Latent, StepRequest
        self.plans = bench.collect(Plan, "plan")
        self.diagnostics = bench.collect(DiagnosticArray, "/diagnostics")
        self._latents = bench.publisher(Latent, "latent")
        self._requests = bench.publisher(StepRequest, "step_request")
        # an endpoint that has matched here may not have matched there: ask until answered
        until(self._answered)
        self.plans.clear()

    def _answered(self) -> bool:
        self.ask(0, seconds=0, episode=0)
        self.show(0)
        time.sleep(0.2)
        return bool(self.plans)

    def ask(self, step: int, seconds: int, episode: int = 3) -> None:
        request = self._request(episode=episode, step=step)
        request.header.stamp.sec = seconds
        self._requests.publish(request)

    def show(self, seconds: int, **changes: Any) -> None:
        fields = {"model": self.identity, "mean": [0.1] * SIZE, "std": [0.1] * SIZE, **changes}
        latent = self._latent(**fields)
        latent.header.stamp.sec = seconds
        self._latents.publish(latent)

    def complaint(self, text: str) -> None:
        self.until(lambda: any(text in s.message for d in self.diagnostics for s in d.status))


@pytest.fixture
def questions(
    bench: Any, wait_until: Any, model: Path, planner_parameters: dict[str, Any]
) -> Questions:
    bench.start("ls3_planner.planner_node", model=str(model), **planner_parameters)
    return Questions(bench, wait_until, model)


def test_plans_from_the_first_frame_that_is_new_enough(questions: Questions) -> None:
    questions.ask(0, seconds=10)
    questions.show(9)  # taken before the last motion had ended
    questions.show(10)
    questions.until(lambda: questions.plans)
    plan = questions.plans[0]
    assert (plan.header.stamp.sec, plan.episode, plan.step) == (10, 3, 0)
    assert plan.feasible
    assert list(plan.action) == list(plan.action_sequence)[:2]
    assert len(plan.action_sequence) == 3 * 2
    assert len(plan.imagined) == 3 * SIZE
    assert plan.solve_time > 0
    assert max(map(abs, plan.action)) <= 0.015 + 1e-6

    questions.ask(1, seconds=10)  # the frame at hand is new enough
    questions.until(lambda: len(questions.plans) == 2)
    assert questions.plans[1].header.stamp.sec == 10


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mean": [math.nan] * SIZE}, "not finite"),
        ({"std": [-1.0] * SIZE}, "negative standard deviation"),
        ({"mean": [0.0] * 3}, "latent of size 3"),
        ({"model": "another"}, "latent of model 'another'"),
    ],
)
def test_bad_latent_is_refused_with_its_reason(
    questions: Questions, changes: dict[str, Any], complaint: str
) -> None:
    questions.ask(0, seconds=1)
    questions.show(2, **changes)
    questions.complaint(complaint)
    assert questions.plans == []
    questions.show(3)  # and the next good one is planned from
    questions.until(lambda: questions.plans)
    assert questions.plans[0].header.stamp.sec == 3


def test_no_feasible_plan_is_published_as_such(
    bench: Any, wait_until: Any, model: Path, planner_parameters: dict[str, Any]
) -> None:
    parameters = {**planner_parameters, "delta_safe": 0.99, "max_relaxations": 0}
    bench.start("ls3_planner.planner_node", model=str(model), **parameters)
    questions = Questions(bench, wait_until, model)
    questions.ask(0, seconds=1)
    questions.show(1)
    plan = wait_until(lambda: questions.plans)[0]
    assert not plan.feasible
    assert list(plan.action) == [0.0, 0.0]


@pytest.mark.parametrize("damage", ["missing", "truncated", "mismatched"])
def test_damaged_model_ends_the_node_with_a_clear_error(
    bench: Any, model: Path, planner_parameters: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "model"
    if damage != "missing":
        path.mkdir()
        for file in model.iterdir():
            (path / file.name).write_bytes(file.read_bytes())
    if damage == "truncated":
        weights = path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
    if damage == "mismatched":
        manifest = json.loads((path / "manifest.json").read_text())
        (path / "manifest.json").write_text(json.dumps({**manifest, "domain": "navigation"}))
    child = bench.start("ls3_planner.planner_node", model=str(path), **planner_parameters)
    assert child.wait() == 2
    assert str(path) in child.output
    assert "Traceback" not in child.output


def test_unknown_parameter_is_refused_by_name(
    bench: Any, model: Path, planner_parameters: dict[str, Any]
) -> None:
    child = bench.start(
        "ls3_planner.planner_node", model=str(model), **planner_parameters, horison=3
    )
    assert child.wait() == 2
    assert "unknown key 'horison'" in child.output
    assert "did you mean 'horizon'" in child.output
