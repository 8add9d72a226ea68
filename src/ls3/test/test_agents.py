"""A second agent in the loops of Algorithm 1: nothing in them is LS3's own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import random_agent
import tiny_runs
import torch
from interruptions import KilledError, Signalling, killed

from ls3.cli.cli import main
from ls3.runs.methods import METHODS, Method, load_method
from ls3.studies import tables
from ls3.studies.results import gather
from ls3_common.errors import ConfigError
from ls3_common.files import read_json
from ls3_models import checkpoint
from ls3_models.episodes import VARIATIONS, list_episodes, read_episode
from ls3_sim import registration

pytestmark = pytest.mark.background

RANDOM = Method("Random", "random_agent:KIND")
EPISODES = 4  # K = 2, U = 2


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(METHODS, "random", RANDOM)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_runs.collect_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return random_agent.write_config(tmp_path_factory.mktemp("config") / "navigation.yaml")


@pytest.fixture(scope="module")
def words(data, config):
    """Of `ls3 learn` with the second agent."""
    common = ["--domain", "navigation", "--config", str(config), "--data", str(data)]
    return ["learn", *common, "--method", "random", "--seed", "3"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """A run that nothing has interrupted."""
    run = tmp_path_factory.mktemp("whole") / "runs" / "navigation" / "random" / "seed_3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "random", RANDOM)
        assert main([*words, "--run", str(run)]) == 0
    return run


def assert_equal(run, other):
    """Same weights, generator and momentum, same curves and the same episodes."""
    for name in ("checkpoint.safetensors", "online/checkpoint.safetensors"):
        (ours, about), (theirs, _) = (checkpoint.load(path / name) for path in (run, other))
        assert about["agent"] == "random" and ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    curves = [(path / "online" / "curve.jsonl").read_text() for path in (run, other)]
    assert curves[0] == curves[1]
    points = [(path / "curves.jsonl").read_text().splitlines() for path in (run, other)]
    assert [json.loads(row)["step"] for row in points[0]] == [
        json.loads(row)["step"] for row in points[1]
    ]
    files = [list_episodes(path / "online" / "episodes") for path in (run, other)]
    for one, two in zip(*files, strict=True):
        assert (read_episode(one).actions == read_episode(two).actions).all()


def begin(words, run, monkeypatch, owner, name, value):
    """Learn until `value`, in the place of an attribute of `owner`, ends the process."""
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, value)
        with pytest.raises(KilledError):
            main([*words, "--run", str(run)])


def test_it_learns_after_every_step_and_its_counts_are_in_the_curve(whole):
    rows = [json.loads(line) for line in (whole / "online" / "curve.jsonl").open()]
    assert [row["episode"] for row in rows] == list(range(EPISODES))
    assert sum(row["clipped"] for row in rows) > 0 and "holds" not in rows[0]
    before, offline = checkpoint.load(whole / "checkpoint.safetensors")
    assert offline["done"] == {"warm_up": 8}
    after, manifest = checkpoint.load(whole / "model" / "random.safetensors")
    assert not torch.equal(before["mean"], after["mean"])
    assert manifest["online_curve"] == rows
    episode = read_episode(list_episodes(whole / "online" / "episodes")[0])
    none = {"on": {}, "drawn": {}}
    assert episode.attributes == {VARIATIONS: none, "clipped": rows[0]["clipped"], "phase": 0}


@pytest.mark.parametrize("step", [1, 37, 150, 250])
def test_killed_inside_an_episode_it_ends_the_same(words, whole, tmp_path, monkeypatch, step):
    made = registration.make_task

    def killing(domain, *more):
        return Signalling(made(domain, *more), step, killed)

    begin(words, tmp_path, monkeypatch, registration, "make_task", killing)
    assert main([*words, "--run", str(tmp_path)]) == 0
    assert_equal(tmp_path, whole)


def test_killed_between_episode_and_checkpoint_it_ends_the_same(
    words, whole, tmp_path, monkeypatch
):
    # three of the warm-up, the policy before the first episode, and one of that episode
    save, left = checkpoint.save, [6]

    def fail(*arguments):
        left[0] -= 1
        if not left[0]:
            raise KilledError
        save(*arguments)

    begin(words, tmp_path, monkeypatch, checkpoint, "save", fail)
    path = tmp_path / "online"
    kept = len(list_episodes(path / "episodes"))
    known = checkpoint.load(path / "checkpoint.safetensors")[1]["phase"]
    assert (kept, known) == (2, 1), "no checkpoint knows of the second episode"
    assert main([*words, "--run", str(tmp_path)]) == 0
    assert_equal(tmp_path, whole)


@pytest.mark.parametrize("step", [1, 5, 8])
def test_killed_inside_its_offline_training_it_ends_the_same(
    words, whole, tmp_path, monkeypatch, step
):
    towards, left = random_agent.RandomAgent._towards, [step]

    def fail(self, actions):
        left[0] -= 1
        if not left[0]:
            raise KilledError
        return towards(self, actions)

    begin(words, tmp_path, monkeypatch, random_agent.RandomAgent, "_towards", fail)
    assert main([*words, "--run", str(tmp_path)]) == 0
    assert_equal(tmp_path, whole)


def test_a_stop_waits_for_the_end_of_the_episode(words, whole, tmp_path, monkeypatch, capsys):
    made = registration.make_task

    def stop():
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(registration, "make_task", lambda *words: Signalling(made(*words), 120, stop))
        assert main([*words, "--run", str(tmp_path)]) == 130
    kept = list_episodes(tmp_path / "online" / "episodes")
    _, description = checkpoint.load(tmp_path / "online" / "checkpoint.safetensors")
    assert description["phase"] == len(kept) < EPISODES
    assert main([*words, "--run", str(tmp_path)]) == 0
    assert_equal(tmp_path, whole)


PROGRAM = """
import sys
from ls3.runs.methods import METHODS, Method
METHODS["random"] = Method("Random", "random_agent:KIND")
from ls3.cli.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_kill_9_loses_the_episode_at_hand_only(words, whole, tmp_path):
    more = ["--run", str(tmp_path), "--set", "algorithm.updates=200"]
    paths = [str(Path(tiny_runs.__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words, *more], env=environment)
    try:
        deadline = time.monotonic() + 100
        while len(list_episodes(tmp_path / "online" / "episodes")) < EPISODES:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    phase = checkpoint.load(tmp_path / "online" / "checkpoint.safetensors")[1]["phase"]
    assert phase < 400, "the kill came too late to test anything"
    more[-1] = f"algorithm.updates={phase // 2 + 2}"
    assert main([*words, *more]) == 0
    alone = tmp_path / "alone"
    assert main([*words, "--run", str(alone), *more[2:]]) == 0
    for path in list_episodes(tmp_path / "online" / "episodes")[2 * (phase // 2 + 2) :]:
        path.unlink()  # run before the kill, and beyond what is compared
    assert_equal(tmp_path, alone)


def test_it_is_evaluated_without_noise(whole, words, config, capsys):
    options = ["--domain", "navigation", "--config", str(config), "--method", "random"]
    figures = []
    for _ in range(2):
        capsys.readouterr()
        arguments = ["--model", str(whole / "model"), "--episodes", "2"]
        assert main(["evaluate", *options, *arguments]) == 0
        printed = capsys.readouterr().out
        figures.append(json.loads(printed[printed.index("{") :]))
    assert figures[0] == figures[1]
    assert figures[0]["episodes"] == 2 and figures[0]["clipped"] == 0
    assert main(["evaluate", *options]) == 2
    assert "no model is shipped for 'navigation' and this method" in capsys.readouterr().err


def test_its_runs_become_results_with_its_own_settings(whole, tmp_path):
    (path,) = gather(whole.parents[2], tmp_path)
    document = read_json(path)
    assert document["label"] == "Random" and document["random_agent"]["spread"] == 0.5
    assert "planner" not in document and "learner" not in document
    assert "clipped" in document["metrics"]["curves"]["3"]
    assert "spread 0.5" in tables.runs_table([document])
    (again,) = gather(whole.parents[2], tmp_path)  # beside the seeds that the file has
    assert read_json(again) == document


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--set", "random_agent.spread=0.4"], "another random_agent"),
        (["--set", "random_agent.spread=4"], "[0, 1]"),
        (["--set", "random_agent.sprad=0.4"], "did you mean 'spread'?"),
        (
            ["--set", "sacfd.penalty=-1"],
            "sections: algorithm, domain, environment, learner, planner_node, random_agent",
        ),
        (["--method", "ls3"], "another agent"),
        (["--offline", "elsewhere"], "method 'random' cannot reuse another run"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words, whole, capsys, more, named):
    assert main([*words, "--run", str(whole), *more]) == 2
    assert named in capsys.readouterr().err


def test_a_domain_without_its_section_is_named():
    with pytest.raises(ConfigError, match="no section 'random_agent'"):
        load_method("navigation", "random")


def test_ls3_takes_nothing_over_from_another_agent(words, whole, tmp_path, capsys):
    other = [*words, "--run", str(tmp_path), "--method", "ls3", "--offline", str(whole)]
    assert main(other) == 2
    assert "not an offline training of LS3" in capsys.readouterr().err
