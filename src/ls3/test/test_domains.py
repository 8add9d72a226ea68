"""Every domain's YAML fits its environment, and the commands need no more than that."""

import json

import numpy as np
import pytest

from ls3.cli.cli import main
from ls3.learning.collect import collect
from ls3.runs.domains import load_domain
from ls3_common.domain import domain_names
from ls3_models.episodes import read_episodes
from ls3_sim.registration import make_environment

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

TINY = [
    "algorithm.demonstrations=2",
    "algorithm.constraint=3",
    "learner.vae_iterations=2",
    "learner.offline_iterations=2",
    "learner.vae_batch_size=8",
    "learner.batch_size=16",
    "learner.hidden=16",
    "planner_node.horizon=2",
    "planner_node.delta_safe=0.05",
    "planner_node.delta_constraint=1.0",
    "planner_node.realtime.candidates=16",
    "planner_node.realtime.particles=2",
    "planner_node.realtime.elites=4",
    "planner_node.realtime.iterations=2",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    domain = load_domain("navigation", overrides=TINY)
    env = make_environment(domain.spec)
    directory = tmp_path_factory.mktemp("data")
    assert collect(env, domain.algorithm, directory, seed=0) == 5
    return directory


@pytest.mark.parametrize("name", domain_names())
def test_a_domain_has_its_environments_horizon_and_can_plan(name):
    domain = load_domain(name)
    env = make_environment(domain.spec)
    assert env.spec is not None and env.spec.max_episode_steps == domain.algorithm.horizon
    assert domain.planner.realtime.candidates < domain.planner.paper.candidates
    env.close()


def test_behaviours_begin_where_the_domain_says(data):
    episodes = read_episodes(data)
    starts = {
        kind: [e.observations[0] for e in episodes if e.source == kind]
        for kind in ("demonstration", "constraint")
    }
    assert np.array_equal(*starts["demonstration"])
    assert len({start.tobytes() for start in starts["constraint"]}) == 3
    assert all(e.succeeded and not e.violated for e in episodes if e.source == "demonstration")
    assert all(e.violated for e in episodes if e.source == "constraint")
    assert all(len(e) == 100 for e in episodes)


def test_navigation_from_data_to_figures(data, tmp_path, capsys):
    options = ["--domain", "navigation", *(word for text in TINY for word in ("--set", text))]
    assert main(["train", *options, "--data", str(data), "--run", str(tmp_path)]) == 0
    capsys.readouterr()
    model = str(tmp_path / "offline_model")
    assert main(["evaluate", *options, "--model", model, "--episodes", "1"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["episodes"] == 1


def test_a_model_of_another_domain_is_refused(data, tmp_path, model, capsys):
    arguments = ["--domain", "navigation", "--model", str(model), "--episodes", "1"]
    assert main(["evaluate", *arguments]) == 2
    assert "a model of 'cable_routing', not of 'navigation'" in capsys.readouterr().err
