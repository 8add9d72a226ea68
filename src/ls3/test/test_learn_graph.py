"""Algorithm 1 through a running graph: models change between episodes, and a kill loses little."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_runs
import yaml

from ls3.learning.through_graph import stacked
from ls3.studies.results import gather
from ls3_common.errors import UserError
from ls3_common.files import read_json
from ls3_common.parameter_files import parse_overrides
from ls3_common.shared import find_shared
from ls3_models.bundle import load_bundle
from ls3_models.episodes import list_episodes, read_episode

CONFIG = find_shared("config/navigation.yaml")
STEPS = 4
K, U = 2, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_runs.collect_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    document = yaml.safe_load(CONFIG.read_text())
    for section, changes in parse_overrides(tiny_runs.SETTINGS).items():
        values = document[f"/**/{section}"]["ros__parameters"]
        for name, value in changes.items():
            *outer, last = name.split(".")
            inner = values[outer[0]] if outer else values
            inner[last] = value
    document["/**"]["ros__parameters"]["domain"]["horizon"] = STEPS
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def rows(run: Path) -> list[dict[str, Any]]:
    path = run / "online" / "curve.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_graph_learns_and_goes_on_after_a_kill(
    child_of: Callable[..., Any],
    domain: int,
    data: Path,
    config: Path,
    tmp_path: Path,
    wait_until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path("runs", "navigation", "through_graph", "seed_3")
    words = ["mode:=learn", f"config:={config}", f"data:={data}", "learning_seed:=3"]
    command = ["ros2", "launch", "ls3_sim", "navigation.launch.py", *words]
    first = child_of(command, domain)
    try:
        wait_until(lambda: len(rows(run)) > K, 150)  # in the second phase, with updated models
    except AssertionError:
        first.stop()
        raise AssertionError(first.output) from None
    first.interrupt(signal.SIGKILL)
    first.wait()
    kept = rows(run)
    second = child_of(command, domain)
    try:
        assert second.wait(150) == 0, second.output
    finally:
        second.stop()
    assert rows(run)[: len(kept)] == kept
    assert [row["episode"] for row in rows(run)] == list(range(K * U))
    # every transition is stored, and what the nodes planned with is what was learned
    episodes = [read_episode(path) for path in list_episodes(run / "online" / "episodes")]
    assert [len(episode) for episode in episodes] == [STEPS] * (K * U)
    phases = [load_bundle(run / "phases" / f"phase_{phase:03d}").identity for phase in range(U)]
    assert len(set(phases)) == U
    for node in ("encoder_node", "planner_node"):
        assert f"[{node}]: model {phases[0]} from" in first.output
        assert f"[{node}]: model {phases[1]} from" in first.output + second.output
    assert load_bundle(run / "model").identity not in phases
    (path,) = gather(Path("runs"), Path("results"))
    assert path.name == "training_navigation_through_graph.json"
    document = read_json(path)
    assert document["command"].startswith("ros2 launch ls3_sim navigation.launch.py mode:=learn ")
    assert document["label"] == "LS3, through graph" and document["metrics"]["complete"]


def test_missing_data_are_named(
    child_of: Callable[..., Any], domain: int, config: Path, tmp_path: Path
) -> None:
    words = ["mode:=learn", f"config:={config}", f"data:={tmp_path}/none", f"run:={tmp_path}/run"]
    child = child_of(["ros2", "launch", "ls3_sim", "navigation.launch.py", *words], domain)
    try:
        assert child.wait(60) == 1
    finally:
        child.stop()
    assert f"{tmp_path}/none" in child.output
    assert "Traceback" not in child.output


def test_launch_refuses_a_method_that_must_not_move_an_arm(
    child_of: Callable[..., Any], domain: int, config: Path, data: Path, tmp_path: Path
) -> None:
    words = ["mode:=learn", "method:=sacfd", f"config:={config}"]
    words += [f"data:={data}", f"run:={tmp_path}/run"]
    child = child_of(["ros2", "launch", "ls3_sim", "navigation.launch.py", *words], domain)
    try:
        assert child.wait(60) == 1
    finally:
        child.stop()
    assert "method 'sacfd' must not move an arm" in child.output
    assert "Traceback" not in child.output
    assert not (tmp_path / "run").exists()


SECOND_AGENT = f"""
import sys
sys.path.append({str(Path(tiny_runs.__file__).parent)!r})
from ls3.runs.methods import METHODS, Method
METHODS["random"] = Method("Random", "random_agent:KIND", on_robot="ON_ROBOT" in sys.argv)
from ls3.cli.learn_node import main
main()
"""


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        ([], "'random' must not move an arm"),
        (["ON_ROBOT"], "no node can act as agent 'random' does"),
    ],
)
def test_learn_node_refuses_an_agent_that_must_not_or_cannot_move_an_arm(
    child_of: Callable[..., Any],
    domain: int,
    config: Path,
    data: Path,
    tmp_path: Path,
    allowed: list[str],
    named: str,
) -> None:
    text = config.read_text() + "\n/**/random_agent:\n  ros__parameters:\n    spread: 0.5\n"
    config.write_text(text)
    given = {"domain": "navigation", "method": "random", "config": config, "data": data}
    given |= {"run": tmp_path / "run"}
    words = [word for key, value in given.items() for word in ("-p", f"{key}:={value}")]
    command = [sys.executable, "-c", SECOND_AGENT, *allowed, "--ros-args", *words]
    child = child_of(command, domain)
    try:
        assert child.wait(60) == UserError.exit_code
    finally:
        child.stop()
    assert named in child.output
    assert "Traceback" not in child.output


def test_frames_as_stacks() -> None:
    frames = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    assert np.array_equal(stacked(frames, 1), frames)
    found = stacked(frames, 3)[:, 0, 0, ::3].tolist()
    assert found == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]


def test_model_that_does_not_fit_is_refused(
    bench: Any, model: Path, tmp_path: Path, planner_parameters: dict[str, Any]
) -> None:
    from random_models import random_bundle

    from ls3_common import topics
    from ls3_interfaces.srv import LoadModel
    from ls3_models.bundle import save_bundle

    save_bundle(random_bundle(1), tmp_path / "other")
    save_bundle(random_bundle(1, domain="navigation"), tmp_path / "foreign")
    (tmp_path / "broken").mkdir()
    bench.start("ls3_planner.planner_node", model=str(model), **planner_parameters)
    client = bench.node.create_client(LoadModel, topics.load_model("planner_node"))

    def load(name: str) -> Any:
        return bench.ask(client, LoadModel.Request(path=str(tmp_path / name)))

    before = load_bundle(model).identity
    for name, words in (
        ("foreign", "this is a model of 'navigation'"),
        ("broken", "no model here"),
    ):
        answer = load(name)
        assert (answer.ok, answer.identity) == (False, before)
        assert words in answer.message
    assert (load("other").ok, load("other").identity) == (
        True,
        load_bundle(tmp_path / "other").identity,
    )
