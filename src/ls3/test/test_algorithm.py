"""Collecting, learning online, evaluating: on the real environment, with tiny models."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from ros_bench import until

from ls3.cli.cli import main
from ls3.learning.algorithm import OnlineLearning, file_name, in_process
from ls3.learning.collect import collect
from ls3.learning.curve import training_rates
from ls3.learning.ls3_agent import Ls3Agent
from ls3.learning.model_files import write_model
from ls3.learning.policy import demonstrate, summarise
from ls3.runs.domains import load_domain
from ls3_common import parameters
from ls3_common.domain import domain_names
from ls3_common.errors import ConfigError, DataError, UserError
from ls3_common.progress import Interrupted
from ls3_models import checkpoint
from ls3_models.episodes import list_episodes, read_episode, read_episodes, write_episode
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import OfflineData
from ls3_models.resume import CHECKPOINT
from ls3_sim.registration import make_environment

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

SMALL = [
    "algorithm.demonstrations=3",
    "algorithm.random=2",
    "algorithm.constraint=2",
    "algorithm.trajectories=1",
    "algorithm.updates=2",
    "learner.vae_iterations=3",
    "learner.offline_iterations=3",
    "learner.update_iterations=3",
    "learner.value_update_iterations=3",
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
def domain():
    return load_domain("cable_routing", overrides=SMALL)


@pytest.fixture(scope="module")
def env(domain):
    made = make_environment(domain.spec)
    yield made
    made.close()


@pytest.fixture(scope="module")
def data(domain, env, tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    assert collect(env, domain.algorithm, directory, seed=0) == 7
    return directory


def test_data_are_what_the_paper_says(data):
    episodes = read_episodes(data)
    demonstrations = [e for e in episodes if e.source == "demonstration"]
    assert all(e.succeeded and not e.violated for e in demonstrations)
    assert all(len(e) == 50 for e in episodes)
    assert any(e.violated for e in episodes if e.source == "constraint")


def test_collecting_fills_gaps_with_the_same_episodes(domain, env, data):
    lost = data / "random_00001.h5"
    before = read_episode(lost)
    lost.unlink()
    assert collect(env, domain.algorithm, data, seed=0) == 1
    np.testing.assert_array_equal(read_episode(lost).observations, before.observations)
    assert collect(env, domain.algorithm, data, seed=0) == 0


def offline(domain, env, data, directory):
    chosen = OfflineData.split(domain.data_spec, read_episodes(data), "x")
    agent = Ls3Agent(domain.learner, domain.planner, chosen, 0)
    training = OfflineTraining(agent, chosen, directory, seed=0)
    training.run()
    return agent, training


def learn(domain, env, data, directory):
    agent, training = offline(domain, env, data, directory)
    source = in_process(env, stop_on_success=True)
    return OnlineLearning(agent, domain.algorithm, source, training, directory / "online", seed=0)


def test_online_learning_resumes_to_the_same_weights_and_curve(
    domain, env, data, tmp_path, monkeypatch, capsys
):
    whole = learn(domain, env, data, tmp_path / "whole")
    whole.run()
    assert len(whole.rows) == 2 and training_rates(whole.rows)["episodes"] == 2

    first = learn(domain, env, data, tmp_path / "parts")

    class Signalling(gymnasium.Wrapper):
        """The environment, which interrupts the run once."""

        sent = False

        def step(self, action):
            if not self.sent:
                os.kill(os.getpid(), signal.SIGTERM)
            self.sent = True
            return super().step(action)

    first.source = in_process(Signalling(env), stop_on_success=True)
    with pytest.raises(Interrupted):
        first.run()
    assert len(list_episodes(tmp_path / "parts" / "online" / "episodes")) == 1

    second = learn(domain, env, data, tmp_path / "parts")
    capsys.readouterr()
    monkeypatch.setattr("ls3_common.progress.LINE_INTERVAL_S", 0.0)
    second.run()
    # what an interrupted phase has left is read in no time: no rate to reckon with
    assert capsys.readouterr().out.startswith("learn: 1/2, ETA unknown")
    assert second.curve() == whole.curve()
    pairs = zip(
        whole.agent.learner.models.state_dict().items(),
        second.agent.learner.models.state_dict().values(),
        strict=True,
    )
    for (name, one), other in pairs:
        assert torch.equal(one, other), name
    third = learn(domain, env, data, tmp_path / "parts")  # finished: nothing is left to do
    assert third.phase == 2 and third.curve() == whole.curve()
    path = tmp_path / "parts" / "online" / CHECKPOINT
    tensors, description = checkpoint.load(path)
    del description["judgement"]  # as before fresh particles judged plans
    checkpoint.save(path, tensors, description)
    with pytest.raises(DataError, match="another judgement"):
        learn(domain, env, data, tmp_path / "parts")


def test_an_episode_of_another_run_is_refused(domain, env, data, tmp_path):
    run = learn(domain, env, data, tmp_path)
    write_episode(tmp_path / "online" / "episodes", file_name(0), demonstrate(env, [7])[0])
    with pytest.raises(DataError, match=r"online_00000.*an episode of seed 7"):
        run.run()


def test_a_rate_counts_episodes(env):
    episodes = demonstrate(env, [0, 1])
    figures = summarise(episodes)
    assert figures["success_rate"] == 1 and figures["violation_rate"] == 0
    failed = dataclasses.replace(episodes[0], success=np.zeros(len(episodes[0]), bool))
    assert summarise([failed, *episodes])["success_rate"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["LS3/Nothing-v0", "no_such_module:LS3/Nothing-v0"])
def test_unknown_environment_lists_the_known(domain, name):
    with pytest.raises(UserError, match="LS3/CableRouting-v0"):
        make_environment(dataclasses.replace(domain.spec, environment=name))


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("planner_node.horizn=3", "horizon"),
        ("planner_node.horizon=0", r"\[1, 50\]"),
        ("planner_node.delta_safe=1.5", r"\[0, 1\]"),
        ("planner_node.profile=fast", "realtime"),
        ("planner_node.realtime.elites=9999", "9999 elites"),
        ("planer.horizon=3", "planner_node"),
        ("horizon", "SECTION.KEY=VALUE"),
        ("learner.gamma=.nan", "finite"),
    ],
)
def test_a_bad_override_is_named(override, named):
    with pytest.raises(ConfigError, match=named):
        load_domain("cable_routing", overrides=[override])


def test_every_domain_is_complete():
    assert "cable_routing" in domain_names()
    for name in domain_names():
        domain = load_domain(name)
        assert parameters.to_dict(domain.planner)["horizon"] >= 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["collect", "--domain", "cabel"], "cable_routing"),
        (["train", "--data", "/nonexistent"], "ls3 collect"),
        (["evaluate", "--model", "/nonexistent"], "no model here"),
        (["train", "--set", "learner.latent_dim=many"], "an integer"),
    ],
)
def test_a_users_mistake_is_one_message_and_no_traceback(arguments, named, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert named in error and "Traceback" not in error


def test_a_damaged_results_file_is_named(tmp_path, capsys):
    (tmp_path / "half.json").write_text('{"name": ')
    assert main(["measure", "--out", str(tmp_path / "half.json")]) == 2
    error = capsys.readouterr().err
    assert "half.json" in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("setting", "what"),
    [("planner_node.search=icem", "planner"), ("environment.delay=1", "variations")],
)
def test_the_graph_is_not_measured_with_settings_that_it_does_not_read(
    setting, what, tmp_path, capsys
):
    out = tmp_path / "out.json"
    assert main(["measure", "--only", "ros", "--set", setting, "--out", str(out)]) == 2
    assert f"the graph takes its {what} from the installed" in capsys.readouterr().err


def test_ctrl_c_while_collecting_keeps_whole_episodes(tmp_path):
    command = [sys.executable, "-m", "ls3.cli.cli", "collect", "--data", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: list_episodes(tmp_path))
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command again" in error, error
    assert all(len(episode) == 50 for episode in read_episodes(tmp_path))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_evaluate_prints_json(tmp_path, domain, env, data, capsys):
    agent, training = offline(domain, env, data, tmp_path)
    write_model(tmp_path / "model", agent, training, [], 0)
    options = [option for text in SMALL for option in ("--set", text)]
    arguments = ["--model", str(tmp_path / "model"), "--episodes", "1"]
    capsys.readouterr()
    assert main(["evaluate", *arguments, *options]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["episodes"] == 1
