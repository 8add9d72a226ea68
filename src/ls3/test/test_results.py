"""Runs of the real code gathered into results, and what a killed or failing run leaves."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_runs
import torch

from ls3.cli.cli import main
from ls3.studies import results, tables
from ls3_common import parameters
from ls3_common.domain import load_spec
from ls3_common.errors import DataError
from ls3_models import checkpoint, resume
from ls3_models.episodes import list_episodes
from ls3_models.learner import Learner

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

SHIPPED = Path(__file__).parents[3] / "results"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_runs.collect_data(tmp_path_factory.mktemp("data"))


def learn(data, run, *more):
    return ["learn", *tiny_runs.options(*more), "--data", str(data), "--run", str(run)]


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Two seeds of one method, the second with half as many updates."""
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("runs")
    seeds = directory / "navigation" / tiny_runs.NAME
    for seed, updates in ((0, 2), (1, 1)):
        words = learn(data, seeds / f"seed_{seed}", f"algorithm.updates={updates}")
        assert main([*words, "--seed", str(seed)]) == 0
    return directory


def curve(run):
    return [json.loads(line) for line in (run / "online" / "curve.jsonl").read_text().splitlines()]


def gathered(runs, out):
    (path,) = results.gather(runs, out)
    return json.loads(path.read_text())


def test_results_count_all_episodes_of_all_seeds(runs, tmp_path, capsys):
    assert main(["results", "--runs", str(runs), "--out", str(tmp_path)]) == 0
    assert "2 seeds, 6 of 8 episodes" in capsys.readouterr().out
    (document,) = results.read_results(tmp_path)
    assert document["name"] == f"training_navigation_{tiny_runs.NAME}"
    assert document["label"] == "LS3" and document["commit"] and document["command"]
    assert document["planner"]["delta_constraint"] == 1
    metrics = document["metrics"]
    assert metrics["episodes_per_seed"] == {"0": 4, "1": 2} and not metrics["complete"]
    rows = curve(runs / "navigation" / tiny_runs.NAME / "seed_0")
    assert metrics["curves"]["0"]["total_reward"] == [row["total_reward"] for row in rows]
    reached = [
        c["steps"][i] for c in metrics["curves"].values() for i, s in enumerate(c["success"]) if s
    ]
    assert metrics["mean_steps"] == (np.mean(reached) if reached else None)
    low, high = metrics["mean_return_interval"]
    assert low <= metrics["mean_return"] <= high
    assert -100 < metrics["demonstrator_return"] < -40


def test_runs_of_before_the_domain_was_recorded_go_together_with_those_after(runs, tmp_path):
    before = gathered(runs, tmp_path)
    path = runs / "navigation" / tiny_runs.NAME / "seed_0" / "run.json"
    text = path.read_text()
    old = json.loads(text)
    facts = old.pop("domain_spec")
    assert facts["action_high"] == [3.0, 3.0] and facts["horizon"] == 100
    try:
        path.write_text(json.dumps(old))
        assert gathered(runs, tmp_path)["metrics"] == before["metrics"]
        path.write_text(json.dumps(old | {"domain_spec": facts | {"action_high": [2.0, 2.0]}}))
        with pytest.raises(DataError, match=r"another domain\.action_high"):
            gathered(runs, tmp_path)
    finally:
        path.write_text(text)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("training_*.json")), ids=lambda p: p.stem)
def test_shipped_results_are_extended(path, tmp_path):
    """By another seed of the same settings, as a run of today describes them."""
    document = json.loads(path.read_text())
    domain, method = document["domain"], document["method"]
    keys = ("command", "commit", "machine", *results.sections_of(method))
    described = {key: document[key] for key in keys}
    spec = parameters.to_dict(load_spec(domain))
    assert {key: document["algorithm"][key] for key in ("environment", "horizon")} == {
        key: spec[key] for key in ("environment", "horizon")
    }
    run = tmp_path / "runs" / domain / document["run_name"] / "seed_99"
    row = {"success": True, "violation": False, "total_reward": -5.0, "steps": 6, "holds": 0}
    (run / "online").mkdir(parents=True)
    (run / "online" / "curve.jsonl").write_text(json.dumps(row) + "\n")
    about = {"domain": domain, "name": document["run_name"], "method": method, "seed": 99}
    about |= {"label": document["label"], "demonstrator_return": None, "domain_spec": spec}
    (run / "run.json").write_text(json.dumps(described | about))
    shutil.copy(path, tmp_path)
    (gathered_path,) = results.gather(tmp_path / "runs", tmp_path)
    assert gathered_path.name == path.name
    metrics = json.loads(gathered_path.read_text())["metrics"]
    seeds = document["metrics"]["seeds"]
    assert metrics["seeds"] == [*seeds, 99]
    for seed in map(str, seeds):
        assert metrics["curves"][seed] == document["metrics"]["curves"][seed]


def test_a_run_on_its_way_counts_with_what_it_has(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    seed = copy / "navigation" / tiny_runs.NAME / "seed_1"
    (seed / "online" / "curve.jsonl").unlink()
    assert gathered(copy, tmp_path / "out")["metrics"]["seeds"] == [0]
    shutil.rmtree(seed.with_name("seed_0") / "online")
    with pytest.raises(DataError, match="no run has an episode"):
        results.gather(copy, tmp_path)


def test_a_seed_that_only_the_results_have_stays_in_them(runs, tmp_path, capsys):
    """As where each seed was run on a machine of its own."""
    both = gathered(runs, tmp_path / "both")
    for seed in (0, 1):
        copy = shutil.copytree(runs, tmp_path / f"runs_{seed}")
        shutil.rmtree(copy / "navigation" / tiny_runs.NAME / f"seed_{1 - seed}")
        document = gathered(copy, tmp_path / "out")
        assert document["metrics"]["seeds"] == [*range(seed + 1)]
    assert {**document, "command": both["command"]} == both
    # a run that is there counts, and not what the file has of it; it was begun anew, say
    path = copy / "navigation" / tiny_runs.NAME / "seed_1" / "online" / "curve.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    again = gathered(copy, tmp_path / "out")["metrics"]
    assert again["episodes_per_seed"] == {"0": 4, "1": 1}
    # seeds of other settings are refused, and so is a file that is none
    (kept,) = (tmp_path / "out").iterdir()
    kept.write_text(json.dumps({**document, "planner": document["planner"] | {"horizon": 2}}))
    assert main(["results", "--runs", str(copy), "--out", str(kept.parent)]) == 2
    error = capsys.readouterr().err
    assert "another planner.horizon" in error and str(kept) in error
    del document["metrics"]["curves"]["1"]["steps"]
    for text in ('{"metrics": []}', json.dumps(document)):
        kept.write_text(text)
        assert main(["results", "--runs", str(copy), "--out", str(kept.parent)]) == 2
        assert "no results of training runs" in capsys.readouterr().err


def test_seeds_with_other_settings_are_not_averaged(runs, tmp_path, capsys):
    copy = shutil.copytree(runs, tmp_path / "runs")
    path = copy / "navigation" / tiny_runs.NAME / "seed_1" / "run.json"
    described = json.loads(path.read_text())
    described["planner"]["horizon"] = 2
    path.write_text(json.dumps(described))
    assert main(["results", "--runs", str(copy), "--out", str(tmp_path)]) == 2
    assert "another planner.horizon" in capsys.readouterr().err


def test_a_parameter_that_came_later_had_its_default(runs, tmp_path, capsys):
    copy = shutil.copytree(runs, tmp_path / "runs")
    path = copy / "navigation" / tiny_runs.NAME / "seed_0" / "run.json"
    described = json.loads(path.read_text())
    del described["learner"]["imagined_steps"]
    path.write_text(json.dumps(described))
    assert main(["results", "--runs", str(copy), "--out", str(tmp_path)]) == 0
    del described["planner"]["horizon"]  # this one has none
    path.write_text(json.dumps(described))
    assert main(["results", "--runs", str(copy), "--out", str(tmp_path)]) == 2
    assert "another planner.horizon" in capsys.readouterr().err


def test_all_commits_that_worked_on_the_runs_are_named_once(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    for seed, commit in ((0, "b, a"), (1, "a+, b")):
        path = copy / "navigation" / tiny_runs.NAME / f"seed_{seed}" / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "commit": commit}))
    assert main(["results", "--runs", str(copy), "--out", str(tmp_path)]) == 0
    (document,) = results.read_results(tmp_path)
    assert document["commit"] == "a, a+, b"


@pytest.mark.timeout(480)  # four starts of PyTorch
def test_what_seeds_differ_in_is_said_beside_their_average(runs, tmp_path):
    document = gathered(runs, tmp_path)
    assert document["seeds_differ_in"] == ["encoder"], "each seed has a VAE of its own"
    encoders = {origin["encoder"] for origin in document["origins"].values()}
    assert len(encoders) == 2 and all(len(name) == 12 for name in encoders)
    path = runs / "navigation" / tiny_runs.NAME / "seed_0" / "run.json"
    text = path.read_text()
    try:
        path.write_text(json.dumps(json.loads(text) | {"commit": "abc", "versions": {}}))
        document = gathered(runs, tmp_path)
    finally:
        path.write_text(text)
    assert document["seeds_differ_in"] == ["commit", "versions", "encoder"]
    assert tables.origin(document).endswith("; seeds differ in commit, versions, encoder")
    shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(next((tmp_path / "runs" / "navigation").glob("*/seed_1")))
    later = gathered(tmp_path / "runs", tmp_path)
    assert later["origins"]["1"] == document["origins"]["1"], "kept in the file"


def test_killed_at_any_moment_a_run_goes_on_to_the_same_curve(runs, data, tmp_path):
    whole = runs / "navigation" / tiny_runs.NAME / "seed_0"
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ls3.cli.cli", *learn(data, run)]
    for wanted, delay in ((1, 0.0), (2, 0.03)):  # in an episode, and about the update after two
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while len(list_episodes(run / "online" / "episodes")) < wanted:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert curve(run) == curve(whole)
    ours, _ = checkpoint.load(run / "online" / resume.CHECKPOINT)
    theirs, _ = checkpoint.load(whole / "online" / resume.CHECKPOINT)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("file", "kept"), [("online/episodes/.online_00001", 1), ("online/.checkpoint", 2)]
)
def test_a_full_disk_costs_no_more_than_what_was_being_written(
    file, kept, runs, data, tmp_path, monkeypatch, capsys
):
    """The second episode, or the checkpoint after the first update, finds no space."""
    fsync = os.fsync

    def full(descriptor):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path / file)):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert main(learn(data, tmp_path)) == 2
    monkeypatch.undo()
    error = capsys.readouterr().err
    assert "No space left" in error and "run the same command again" in error
    assert not list(tmp_path.rglob("*.part*"))
    assert len(list_episodes(tmp_path / "online" / "episodes")) == kept
    assert main(learn(data, tmp_path)) == 0
    assert curve(tmp_path) == curve(runs / "navigation" / tiny_runs.NAME / "seed_0")


def failing(monkeypatch, name, after):
    """The loss of a module becomes NaN with the step after so many."""
    steps, descend = 0, Learner._descend

    def step(self, module, loss):
        nonlocal steps
        steps += module == name
        return descend(self, module, loss * float("nan") if steps > after else loss)

    monkeypatch.setattr(Learner, "_descend", step)


@pytest.mark.parametrize(
    ("command", "name", "after", "where"),
    [
        ("train", "vae", 1, "at step 2 of stage 'vae'; no checkpoint"),
        ("train", "safe", 2, "at step 3 of stage 'heads'; the last good checkpoint is {}"),
        ("learn", "value", 4 + 1, "at step 5, update 1; the last good checkpoint is {}"),
        ("learn", "goal", 4 + 3, "at step 1, update 2; the last good checkpoint is {}/online"),
    ],
)
def test_a_loss_that_is_not_finite_is_named(
    command, name, after, where, data, tmp_path, monkeypatch, capsys
):
    failing(monkeypatch, name, after)
    words = [command, *learn(data, tmp_path, "algorithm.trajectories=1")[1:]]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert f"the loss of '{name}' is nan" in error and where.format(tmp_path) in error
    assert "Traceback" not in error
    monkeypatch.undo()
    assert main(words) == 0  # from the checkpoint that was named
