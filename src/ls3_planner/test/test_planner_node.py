from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls3_common.shared import find_shared
from ls3_models.bundle import load_bundle
from ls3_planner.plan import make_planner
from ls3_planner.plan_input import PlanInput

SIZE = 32


class Questions:
    """Asks a running planner_node and reads its plans and its health."""

    def __init__(self, bench: Any, until: Any, model: Path) -> None:
        from diagnostic_msgs.msg import DiagnosticArray

        from ls3_interfaces.msg import Latent, Plan, StepRequest

        self.bench, self.until = bench, until
        self.identity = load_bundle(model).identity
        self._latent, self._request = Latent, StepRequest
        self.now = 0  # seconds; every test begins later than any frame the node may remember
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

    def show_until_planned(self, seconds: int) -> None:
        """Frames travel best effort: one may be lost."""

        def planned() -> bool:
            self.show(seconds)
            time.sleep(0.1)
            return bool(self.plans)

        self.until(planned)

    def complaint(self, text: str, meanwhile: Callable[[], None]) -> None:
        """Repeat `meanwhile` until the node's health says `text`."""

        def said() -> bool:
            meanwhile()
            time.sleep(0.1)
            return any(text in s.message for d in self.diagnostics for s in d.status)

        self.until(said)


@pytest.fixture(scope="module")
def shared(
    shared_bench: Any, wait_until: Any, model: Path, planner_parameters: dict[str, Any]
) -> Questions:
    shared_bench.start("ls3_planner.planner_node", model=str(model), **planner_parameters)
    return Questions(shared_bench, wait_until, model)


@pytest.fixture
def questions(shared: Questions) -> Questions:
    shared.plans.clear()
    shared.diagnostics.clear()
    shared.now += 1000
    return shared


def test_plans_from_the_first_frame_that_is_new_enough(questions: Questions) -> None:
    now = questions.now
    questions.ask(0, seconds=now + 10)
    questions.show(now + 9)  # taken before the last motion had ended
    questions.show_until_planned(now + 10)
    plan = questions.plans[0]
    assert (plan.header.stamp.sec, plan.episode, plan.step) == (now + 10, 3, 0)
    assert plan.feasible
    assert list(plan.action) == list(plan.action_sequence)[:2]
    assert len(plan.action_sequence) == 3 * 2
    assert len(plan.imagined) == 3 * SIZE
    assert plan.solve_time > 0
    assert max(map(abs, plan.action)) <= 0.015 + 1e-6

    questions.plans.clear()
    questions.ask(1, seconds=now + 10)  # the frame at hand is new enough
    questions.until(lambda: questions.plans)
    assert questions.plans[0].header.stamp.sec == now + 10


def test_its_parameters_are_read_as_those_of_any_node(questions: Questions) -> None:
    from rcl_interfaces.msg import ParameterType
    from rcl_interfaces.srv import GetParameters

    client = questions.bench.node.create_client(GetParameters, "/planner_node/get_parameters")
    request = GetParameters.Request(names=["profile", "delta_safe"])
    answer = questions.bench.ask(client, request, timeout=20.0)
    questions.bench.destroy(client)
    profile, delta_safe = answer.values
    assert profile.string_value == "realtime"
    assert delta_safe.type == ParameterType.PARAMETER_DOUBLE


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
    now = questions.now
    questions.ask(0, seconds=now)
    questions.complaint(complaint, meanwhile=lambda: questions.show(now + 1, **changes))
    assert questions.plans == []
    questions.show_until_planned(now + 2)  # and the next good one is planned from
    assert questions.plans[0].header.stamp.sec == now + 2


def test_no_feasible_plan_is_published_as_such(
    bench: Any, wait_until: Any, model: Path, planner_parameters: dict[str, Any]
) -> None:
    from std_msgs.msg import String

    parameters = {**planner_parameters, "delta_safe": 0.99, "max_relaxations": 0}
    bench.start("ls3_planner.planner_node", model=str(model), **parameters)
    questions = Questions(bench, wait_until, model)
    inputs = bench.collect(String, "plan_input")
    questions.ask(0, seconds=1)
    questions.show_until_planned(1)
    plan = questions.plans[0]
    assert not plan.feasible
    assert list(plan.action) == [0.0, 0.0]
    assert plan.delta_safe == pytest.approx(0.99)
    assert 0 <= plan.safe_probability < 1 - 0.99
    # and why stands beside it, and on /diagnostics until a plan has an action
    questions.until(lambda: inputs and inputs[-1].data)
    reason = PlanInput.from_json(inputs[-1].data).reason
    assert reason.startswith("no plan, (5) fails: P(in the safe set) at most 0 of 0.01 asked")
    questions.complaint(reason, meanwhile=lambda: None)


def test_solver_that_fails_makes_the_arm_hold_and_the_node_live(
    bench: Any, wait_until: Any, model: Path, planner_parameters: dict[str, Any]
) -> None:
    code = (
        "from ls3_planner import cem, planner_node\n"
        "def plan(self, mean, std): raise RuntimeError('no luck')\n"
        "cem.CrossEntropyPlanner.plan = plan\n"
        "planner_node.main()"
    )
    child = bench.start("-c", code, model=str(model), **planner_parameters)
    questions = Questions(bench, wait_until, model)
    for step in (0, 1):
        questions.plans.clear()
        questions.ask(step, seconds=1)
        questions.show_until_planned(1)
        assert not questions.plans[0].feasible
        assert list(questions.plans[0].action) == [0.0, 0.0]
        assert math.isnan(questions.plans[0].safe_probability)
    assert "no luck" in child.output
    questions.complaint("no plan: the planner failed: no luck", meanwhile=lambda: None)
    assert child.process.poll() is None


def test_a_plan_is_made_again_from_what_the_node_says_it_rests_on(
    questions: Questions, model: Path
) -> None:
    """Also one in the middle of an episode, which continues the plan before."""
    from std_msgs.msg import String

    inputs = questions.bench.collect(String, "plan_input")
    questions.plans.clear()
    for step in (0, 1, 2):
        questions.ask(step, seconds=900 + step, episode=8)
        questions.show_until_planned(900 + step)
        questions.until(lambda step=step: len(questions.plans) > step)
    questions.until(lambda: len(inputs) >= 3)
    last, start = questions.plans[-1], PlanInput.from_json(inputs[-1].data)
    assert (start.episode, start.step, start.stamp) == (8, 2, 902 * 10**9)
    assert start.memory is not None
    assert start.identity == questions.identity
    planner = make_planner(load_bundle(start.model), start.config)
    planner.recall(start.memory, start.seed)
    again = planner.plan(np.full(SIZE, 0.1, np.float32), np.full(SIZE, 0.1, np.float32))
    assert again.action_sequence.ravel().tolist() == list(last.action_sequence)
    planner.recall(start.memory, start.seed + 1)
    other = planner.plan(np.full(SIZE, 0.1, np.float32), np.full(SIZE, 0.1, np.float32))
    assert other.action_sequence.ravel().tolist() != list(last.action_sequence)


def test_bad_models_and_parameters_end_the_node_with_a_clear_error(
    bench: Any, model: Path, planner_parameters: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("truncated", "mismatched"):
        shutil.copytree(model, tmp_path / name)
    weights = tmp_path / "truncated" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    manifest = tmp_path / "mismatched" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "domain": "navigation"}))

    def start(path: Path, **more: Any) -> Any:
        parameters = {"model": str(path), **planner_parameters, **more}
        return bench.start("ls3_planner.planner_node", **parameters)

    said = {
        start(tmp_path / "missing"): "missing: no model here",
        start(tmp_path / "truncated"): "truncated",
        start(tmp_path / "mismatched"): "differ in domain",
        start(model, horison=3): "unknown key 'horison'",
        start(model, trained_for="mine"): "a model of 'cable_routing', not of 'mine'",
        start(model, horizon=0): "outside [1, 50]",
    }
    file = find_shared("config/navigation.yaml")
    words = ["--ros-args", "--params-file", str(file), "-p", f"model:={model}"]
    other = bench.command(sys.executable, "-m", "ls3_planner.planner_node", *words)
    said[other] = "the model of 'cable_routing' has observation_shape (64, 64, 1), the domain has"
    for child, text in said.items():
        assert child.wait(60) == 2
        assert text in child.output
        assert "Traceback" not in child.output
