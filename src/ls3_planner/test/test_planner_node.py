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
from known_frames import save_guarded
from random_models import random_bundle

from ls3_common.shared import find_shared
from ls3_models.bundle import Bundle, load_bundle, save_bundle
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

    def show_until_planned(self, seconds: int, **changes: Any) -> None:
        """Frames travel best effort: one may be lost."""

        def planned() -> bool:
            self.show(seconds, **changes)
            time.sleep(0.1)
            return bool(self.plans)

        self.until(planned)

    def plan(self, step: int, **changes: Any) -> Any:
        """The plan for a step of an episode, from a frame with these fields."""
        self.now += 1
        self.plans.clear()
        self.ask(step, seconds=self.now)
        self.show_until_planned(self.now, **changes)
        (plan,) = self.plans
        assert (plan.header.stamp.sec, plan.step) == (self.now, step)
        return plan

    def complaint(self, text: str, meanwhile: Callable[[], None]) -> None:
        """Repeat `meanwhile` until the node's health says `text`."""

        def said() -> bool:
            meanwhile()
            time.sleep(0.1)
            return any(text in s.message for d in self.diagnostics for s in d.status)

        self.until(said)


def save_with_encoder_of(bundle: Bundle, path: Path) -> Path:
    """Write a model as online learning leaves it: the same encoder, other heads, no guard."""
    learned = random_bundle(seed=1)
    learned.models.encoder.load_state_dict(bundle.models.encoder.state_dict())
    save_bundle(learned, path)
    return path


def load(questions: Questions, path: Path) -> None:
    """Have the running node load another model, between episodes."""
    from ls3_interfaces.srv import LoadModel

    client = questions.bench.node.create_client(LoadModel, "/planner_node/load_model")
    answer = questions.bench.ask(client, LoadModel.Request(path=str(path)), timeout=30.0)
    assert answer.ok, answer.message
    questions.bench.destroy(client)
    questions.identity = load_bundle(path).identity


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
    parameters = {**planner_parameters, "delta_safe": 0.99, "max_relaxations": 0}
    bench.start("ls3_planner.planner_node", model=str(model), **parameters)
    questions = Questions(bench, wait_until, model)
    questions.ask(0, seconds=1)
    questions.show_until_planned(1)
    plan = questions.plans[0]
    assert not plan.feasible
    assert list(plan.action) == [0.0, 0.0]
    assert plan.delta_safe == pytest.approx(0.99)
    assert 0 <= plan.safe_probability < 1 - 0.99
    # it says why, as does /diagnostics until a plan has an action
    assert plan.reason.startswith("no plan, (5) fails: P(in the safe set) at most 0 of 0.01 asked")
    questions.complaint(plan.reason, meanwhile=lambda: None)


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
        plan = questions.plans[0]
        assert not plan.feasible
        assert plan.reason == "no plan: the planner failed: no luck"
        assert list(plan.action) == [0.0, 0.0]
        assert list(plan.action_sequence) == [0.0] * 3 * 2
        assert list(plan.imagined) == [0.0] * 3 * SIZE
        assert math.isnan(plan.safe_probability)
        assert plan.value == -math.inf
    assert "no luck" in child.output
    questions.complaint("no plan: the planner failed: no luck", meanwhile=lambda: None)
    assert child.process.poll() is None


@pytest.fixture(scope="module")
def guarded_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guarded")
    save_guarded(random_bundle(), path)
    return path


def test_where_the_guard_on_frames_objects_the_arm_holds_and_is_told_why(
    bench: Any,
    wait_until: Any,
    guarded_model: Path,
    planner_parameters: dict[str, Any],
    tmp_path: Path,
) -> None:
    child = bench.start("ls3_planner.planner_node", model=str(guarded_model), **planner_parameters)
    questions = Questions(bench, wait_until, guarded_model)
    bundle = load_bundle(guarded_model)
    assert bundle.guard is not None
    anywhere, start = bundle.guard.anywhere.limit, bundle.guard.start.limit
    words = "the frame is unlike the training data"
    for step, scores, said in (
        (0, (2 * anywhere, 0.0), f"{words}: score {2 * anywhere:.2f}, limit {anywhere:.2f}"),
        (1, (0.0, 9 * start), f"{words} of the first steps: score {9 * start:.2f}, limit "),
        (7, (math.nan, math.nan), f"{words}: score nan, limit {anywhere:.2f}"),
        (8, (math.inf, 0.0), f"{words}: score inf, limit {anywhere:.2f}"),
    ):
        plan = questions.plan(step, score=scores[0], start_score=scores[1])
        assert not plan.feasible
        assert plan.reason.startswith(said)
        assert list(plan.action) == [0.0, 0.0]
        assert not any(plan.action_sequence) and len(plan.action_sequence) == 3 * 2
        assert math.isnan(plan.safe_probability) and math.isnan(plan.constraint_probability)
        questions.complaint(plan.reason, meanwhile=lambda: None)
    for step, scores in ((0, (0.9 * anywhere, 0.9 * start)), (2, (0.9 * anywhere, 9 * start))):
        plan = questions.plan(step, score=scores[0], start_score=scores[1])
        assert plan.feasible and plan.reason == ""
    assert "no guard on frames" not in child.output

    learned = save_with_encoder_of(bundle, tmp_path / "learned")
    load(questions, learned)
    assert questions.plan(0, score=2 * anywhere).reason.startswith(words)
    assert questions.plan(0).feasible
    save_bundle(random_bundle(seed=1), tmp_path / "other")
    load(questions, tmp_path / "other")
    assert questions.plan(0, score=2 * anywhere).feasible
    wait_until(lambda: "no guard on frames: the model has none" in child.output)


def test_a_guard_that_is_off_is_not_asked_and_the_node_says_so(
    bench: Any, wait_until: Any, guarded_model: Path, planner_parameters: dict[str, Any]
) -> None:
    parameters = {**planner_parameters, "frame_guard": False}
    child = bench.start("ls3_planner.planner_node", model=str(guarded_model), **parameters)
    questions = Questions(bench, wait_until, guarded_model)
    assert questions.plan(0, score=math.inf).feasible
    assert questions.plan(0, score=math.nan, start_score=math.nan).feasible
    assert "no guard on frames: frame_guard is off" in child.output


def test_a_model_without_a_guard_plans_and_the_node_says_so(questions: Questions) -> None:
    assert questions.plan(0, score=math.nan, start_score=math.nan).feasible
    output = questions.bench.children[0].output
    assert output.count("no guard on frames: the model has none") == 1
    assert "[WARN]" in output


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
