"""`ls3 calibrate-guard`, and how policies and agents act where the guard on frames objects."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_runs
from known_frames import demonstration, foreign, guarded
from random_models import random_bundle

from ls3.cli.cli import main
from ls3.learning.ls3_agent import guarded_policy
from ls3.learning.trained_agent import TrainedAgent
from ls3.runs.domains import Domain, load_domain
from ls3_common.files import read_json
from ls3_models import frame_guard_fit
from ls3_models.bundle import Bundle, load_bundle
from ls3_models.episodes import list_episodes, read_episodes
from ls3_models.frame_guard import FILE, START_FRAMES

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

LEAST = 14
"""Number of demonstrations that a guard with `ALPHA` takes."""
ALPHA = "0.2"
WORDS = "the frame is unlike the training data"
ANYTHING = [
    "planner_node.realtime.candidates=40",
    "planner_node.realtime.particles=4",
    "planner_node.realtime.elites=8",
    "planner_node.realtime.iterations=2",
    "planner_node.delta_safe=0.05",
    "planner_node.delta_constraint=1.0",
]
"""Whatever an untrained model thinks is feasible."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Offline data, and a model that learned from them."""
    directory = tmp_path_factory.mktemp("trained")
    data = tiny_runs.collect_data(directory / "data")
    run = directory / "run"
    assert main(["train", *tiny_runs.options(), "--data", str(data), "--run", str(run)]) == 0
    return data, run / "offline_model"


@pytest.fixture
def model(trained: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[1], tmp_path / "model"))


@pytest.fixture(scope="module")
def fresh(trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstrations that the command makes by itself."""
    model = tmp_path_factory.mktemp("first") / "model"
    shutil.copytree(trained[1], model)
    assert calibrate(trained[0], model, "--demonstrations", str(LEAST)) == 0
    assert (model / FILE).exists()
    return trained[0].with_name("data_fresh")


def calibrate(data: Path, model: Path, *words: str) -> int:
    options = [*tiny_runs.options(), "--data", str(data), "--model", str(model)]
    return main(["calibrate-guard", *options, "--alpha", ALPHA, *words])


def test_the_command_makes_demonstrations_and_a_guard(
    trained: tuple[Path, Path], fresh: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = trained
    assert {episode.source for episode in read_episodes(fresh)} == {"demonstration"}
    assert read_json(fresh / "domain.json")["domain"] == "navigation"
    assert not {e.seed for e in read_episodes(fresh)} & {e.seed for e in read_episodes(data)}
    made = {path: path.stat().st_mtime_ns for path in list_episodes(fresh)}
    assert len(made) == LEAST

    before = load_bundle(model)
    assert before.guard is None
    assert calibrate(data, model, "--demonstrations", str(LEAST)) == 0
    assert {path: path.stat().st_mtime_ns for path in list_episodes(fresh)} == made
    after = load_bundle(model)
    assert after.guard is not None and after.identity == before.identity
    assert after.guard.about == {"alpha": 0.2, "demonstrations": LEAST, "seed": 0}
    said = capsys.readouterr().out
    limits = f"limit {after.guard.anywhere.limit:.2f}, of the first steps"
    assert f"{model / FILE}: {limits} {after.guard.start.limit:.2f}, {LEAST} dem" in said
    for episode in read_episodes(data):
        start = episode.observations[:START_FRAMES]
        scores = after.guard.scores(start, after.encode(start)[0])
        assert [after.guard.objection(*reversed(of)) for of in enumerate(scores)] == ["", ""]
    dark = np.zeros((1, *after.observation_shape), np.uint8)
    assert after.guard.objection(after.guard.scores(dark, after.encode(dark)[0])[0])

    content = (model / FILE).read_bytes()
    assert calibrate(data, model, "--fresh", str(fresh)) == 0
    assert (model / FILE).read_bytes() == content, "the same seed gives the same guard"


def test_it_is_evaluated_with_its_guard(
    trained: tuple[Path, Path], fresh: Path, model: Path, tmp_path: Path
) -> None:
    assert calibrate(trained[0], model, "--fresh", str(fresh)) == 0
    out = tmp_path / "figures.json"
    words = ["--model", str(model), "--episodes", "1", "--out", str(out)]
    assert main(["evaluate", *tiny_runs.options("domain.horizon=8"), *words]) == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--alpha", "0"], "--alpha: 0 is no share"),
        (["--alpha", "1"], "--alpha: 1 is no share"),
        (["--alpha", "nan"], "--alpha: nan is no share"),
        (["--alpha", "0.1"], f"{LEAST} fresh demonstrations for a share of false alarms of 0.1"),
        (["--alpha", "0.1"], "collect 29 or more"),
        (["--demonstrations", "0"], "--demonstrations"),
        (["--fresh", "nowhere"], "holds no episodes"),
        (["--model", "nowhere"], "no model here"),
        (["--set", "environment.start_jitter=1"], "these data were collected with"),
    ],
)
def test_what_makes_no_guard_is_refused(
    trained: tuple[Path, Path],
    fresh: Path,
    model: Path,
    words: list[str],
    text: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert calibrate(trained[0], model, "--fresh", str(fresh), *words) == 2
    error = capsys.readouterr().err
    assert text in error and "Traceback" not in error
    assert not (model / FILE).exists()


def test_data_from_which_the_model_has_not_learned_are_refused(
    fresh: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(fresh, model, "--fresh", str(fresh)) == 2
    error = capsys.readouterr().err
    assert "the model learned from other data" in error and "as --data" in error
    assert not (model / FILE).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_model_as_it_was(
    trained: tuple[Path, Path],
    fresh: Path,
    model: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compare, compared = frame_guard_fit._compare, list[Any]()

    def interrupted(*arguments: Any) -> Any:
        compared.append(arguments)
        if len(compared) == 3:
            os.kill(os.getpid(), number)
        return compare(*arguments)

    monkeypatch.setattr(frame_guard_fit, "_compare", interrupted)
    assert calibrate(trained[0], model, "--fresh", str(fresh)) == 130
    assert len(compared) == 3, "it stops after the episode"
    assert not (model / FILE).exists()
    assert load_bundle(model).guard is None


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return guarded(random_bundle())


def domain(*more: str) -> Domain:
    return load_domain("cable_routing", overrides=[*ANYTHING, *more])


@pytest.mark.parametrize("name", list(foreign()))
def test_a_policy_holds_on_a_foreign_frame_and_counts_it(bundle: Bundle, name: str) -> None:
    policy, good = guarded_policy(bundle, domain().planner), {"constraint": False}
    frames = demonstration(7).observations
    policy.begin(0)
    assert policy.act(frames[0], good) is not None
    assert policy.act(foreign()[name], good) is None
    assert policy.act(frames[2], good) is not None, "it goes on"
    assert policy.act(frames[2], {"constraint": True}) is None
    record = policy.record()
    assert (record["holds"], record["objections"], len(record["plan_ms"])) == (1, 1, 2)
    policy.begin(1)
    record = policy.record()
    assert (record["holds"], record["objections"], record["plan_ms"]) == (0, 0, [])


def test_a_policy_knows_which_steps_are_the_first(bundle: Bundle) -> None:
    policy, good = guarded_policy(bundle, domain().planner), {"constraint": False}
    middle = demonstration(7).observations[6]
    for seed in range(2):
        policy.begin(seed)
        acted = [policy.act(middle, good) is not None for _ in range(START_FRAMES + 2)]
        assert acted == [False] * START_FRAMES + [True] * 2
        assert policy.record()["objections"] == START_FRAMES


def test_no_guard_and_one_that_is_off_object_to_nothing(bundle: Bundle) -> None:
    off = domain("planner_node.frame_guard=false").planner
    strange = foreign()["inverted"]
    for policy in (guarded_policy(bundle, off), guarded_policy(random_bundle(), domain().planner)):
        policy.begin(0)
        assert policy.act(strange, {"constraint": False}) is not None
        assert policy.record()["objections"] == 0


def test_an_agent_holds_on_a_foreign_frame_and_says_why(bundle: Bundle) -> None:
    agent, frames = TrainedAgent(domain(), bundle), demonstration(7).observations
    for step in range(2):
        plan = agent.act(foreign()["mirrored"])
        assert not plan.feasible and plan.reason.startswith(f"{WORDS} of the first steps: score ")
        assert plan.action.tolist() == [0.0, 0.0]
        assert plan.action_sequence.shape == (domain().planner.horizon, 2)
        assert agent.belief(foreign()["mirrored"]).imagined is None, step
    assert agent.act(frames[6]).feasible
    plan = agent.act(foreign()["two objects"])
    assert not plan.feasible and plan.reason.startswith(f"{WORDS}: score ")
    agent.reset()
    assert agent.act(frames[6]).reason.startswith(f"{WORDS} of the first steps: score ")
    agent.reset()
    assert agent.act(frames[0]).feasible


def test_an_agent_whose_guard_is_off_plans_from_any_frame(bundle: Bundle) -> None:
    agent = TrainedAgent(domain("planner_node.frame_guard=false"), bundle)
    assert agent.act(foreign()["inverted"]).feasible


def test_demonstrations_that_the_model_knows_are_refused(
    trained: tuple[Path, Path], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(trained[0], model, "--fresh", str(trained[0])) == 2
    assert "an episode here is one that the model learned from" in capsys.readouterr().err
    assert not (model / FILE).exists()


def test_too_few_demonstrations_are_refused_before_any_is_made(
    trained: tuple[Path, Path], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(trained[0], data)
    assert calibrate(data, model, "--demonstrations", str(LEAST - 1)) == 2
    assert f"give at least {LEAST}" in capsys.readouterr().err
    assert not data.with_name("data_fresh").exists()
