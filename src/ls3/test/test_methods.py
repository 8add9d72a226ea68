"""Methods as configuration, where their runs lie, what they share and what is refused."""

import json
import shutil
from dataclasses import replace
from importlib import metadata

import pytest
import tiny_runs
import torch
from random_models import random_bundle

from ls3.cli.cli import main
from ls3.runs import dataset, provenance
from ls3.runs.domains import load_domain
from ls3.runs.methods import METHODS, load_method, run_name
from ls3.runs.run_directory import exclusive
from ls3_common.errors import ConfigError, DataError
from ls3_models import checkpoint
from ls3_models.bundle import load_bundle, save_bundle
from ls3_models.data_hash import data_hash
from ls3_models.episodes import read_episode, write_episode
from ls3_models.offline import read_curves
from ls3_models.offline_data import Spec

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_runs.collect_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained")
    assert main(["train", *tiny_runs.options(), "--data", str(data), "--run", str(run)]) == 0
    return run


def test_methods_are_what_the_paper_compares():
    plain = load_domain("navigation")
    assert load_method("navigation", "ls3") == plain
    assert not load_method("navigation", "no_safe_set").planner.use_safe_set
    assert not load_method("navigation", "no_constraint").planner.use_constraint
    cloned = load_method("navigation", "bc_safe_set")
    assert cloned.learner.gamma_safe == 0 and cloned.planner == plain.planner


def test_a_method_goes_with_overrides_but_not_with_its_own_opposite():
    domain = load_method("navigation", "no_safe_set", overrides=["planner_node.horizon=3"])
    assert domain.planner.horizon == 3 and not domain.planner.use_safe_set
    with pytest.raises(ConfigError, match=r"decides planner_node.use_safe_set itself"):
        load_method("navigation", "no_safe_set", overrides=["planner_node.use_safe_set=true"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--method", "ls4"], list(METHODS)),
        (["--domain", "cabel"], ["cable_routing", "navigation"]),
        (["--set", "planner_node.horizn=3"], ["'horizon'"]),
    ],
)
def test_what_is_unknown_is_answered_with_what_there_is(arguments, named, capsys):
    assert main(["learn", *arguments]) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in named), error


def test_a_runs_name_says_what_is_swept():
    def name(*overrides):
        return run_name(load_method("navigation", "ls3", overrides=overrides), "ls3")

    assert name() == name("planner_node.horizon=5") == "ls3"
    assert name("planner_node.horizon=3") == "ls3+horizon=3"
    assert (
        name("planner_node.delta_safe=0.5", "planner_node.delta_constraint=0.1")
        == "ls3+delta_constraint=0.1+delta_safe=0.5"
    )


def test_a_runs_directory_names_domain_method_and_seed(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data, "data/navigation")
    assert main(["train", *tiny_runs.options(), "--method", "no_safe_set", "--seed", "3"]) == 0
    (run,) = tmp_path.glob("runs/navigation/no_safe_set*/seed_3")
    described = json.loads((run / "run.json").read_text())
    assert described["method"] == "no_safe_set" and described["seed"] == 3
    assert -100 < described["demonstrator_return"] < 0
    assert described["data_episodes"] == {"demonstration": 2, "constraint": 3}
    assert described["versions"]["torch"] == metadata.version("torch")
    assert {"numpy", "mujoco", "gymnasium"} <= described["versions"].keys()
    # gone on with by another commit: what was learned is of both
    monkeypatch.setattr(provenance, "git_commit", lambda: "another")
    again = ["train", *tiny_runs.options(), "--method", "no_safe_set", "--seed", "3"]
    assert main(again) == 0 and main(again) == 0
    continued = json.loads((run / "run.json").read_text())
    assert continued["commit"] == f"{described['commit']}, another"


def test_a_method_that_differs_in_planning_takes_over_all_training(data, trained, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    options = [*tiny_runs.options(), "--data", str(data), "--method", "no_safe_set"]
    shared, own = tmp_path / "shared", tmp_path / "own"
    assert main(["train", *options, "--run", str(shared), "--offline", str(trained)]) == 0
    assert main(["train", *options, "--run", str(own)]) == 0
    ours, _ = checkpoint.load(shared / "checkpoint.safetensors")
    theirs, _ = checkpoint.load(own / "checkpoint.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert json.loads((shared / "offline.json").read_text())["stages"] == ["vae", "heads"]
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


@pytest.mark.parametrize("options", [["--method", "bc_safe_set"], ["--seed", "1"]])
def test_a_method_that_differs_in_the_safe_set_takes_over_the_vae(data, trained, tmp_path, options):
    words = ["train", *tiny_runs.options(), "--data", str(data), *options]
    assert main([*words, "--run", str(tmp_path), "--offline", str(trained)]) == 0
    ours, _ = checkpoint.load(tmp_path / "checkpoint.safetensors")
    theirs, _ = checkpoint.load(trained / "checkpoint.safetensors")
    same = {name for name in ours if torch.equal(ours[name], theirs[name])}
    assert all(name in same for name in ours if ".encoder." in name or ".decoder." in name)
    assert any(name.startswith("models.heads.safe") for name in ours.keys() - same)


def test_a_models_vae_is_taken_over_for_other_data_too(data, trained, tmp_path):
    other = shutil.copytree(data, tmp_path / "data")
    next(other.glob("demonstration_*")).unlink()
    words = ["train", *tiny_runs.options(), "--data", str(other), "--run", str(tmp_path / "run")]
    model = trained / "offline_model"
    assert main([*words, "--offline", str(model)]) == 0
    ours, theirs = load_bundle(tmp_path / "run" / "offline_model"), load_bundle(model)
    ours, theirs = ours.models.state_dict(), theirs.models.state_dict()
    same = {name for name in ours if torch.equal(ours[name], theirs[name])}
    assert all(name in same for name in ours if name.startswith(("encoder.", "decoder.")))
    assert any(name.startswith("heads.safe") for name in ours.keys() - same)
    assert json.loads((tmp_path / "run" / "offline.json").read_text())["stages"] == ["vae"]
    stages = [row["stage"] for row in read_curves(tmp_path / "run")]
    assert stages[0] == "vae" and "heads" in stages


def test_what_does_not_fit_is_not_taken_over(data, trained, tmp_path, capsys):
    def refused(*more, source=trained):
        arguments = ["train", *tiny_runs.options(*more), "--data", str(data)]
        assert main([*arguments, "--run", str(tmp_path), "--offline", str(source)]) == 2
        return capsys.readouterr().err

    assert "another latent_dim" in refused("learner.latent_dim=8")
    assert "another latent_dim" in refused("learner.latent_dim=8", source=trained / "offline_model")
    views = ("learner.views.copies=2", "learner.views.shift=0.1")
    assert "another views.copies, views.shift" in refused(*views)
    spoiled = save_bundle(load_bundle(trained / "offline_model"), tmp_path / "spoiled")
    save_bundle(spoiled, tmp_path / "spoiled", offline_curves=5)
    assert "offline_curves is not a list of objects" in refused(source=tmp_path / "spoiled")
    save_bundle(random_bundle(domain="pushing"), tmp_path / "pushing")
    assert "another domain" in refused(source=tmp_path / "pushing")
    assert "No such file" in refused(source=tmp_path / "nowhere")
    tensors, description = checkpoint.load(trained / "checkpoint.safetensors")
    copy = shutil.copytree(trained, tmp_path / "copy")
    (copy / "curves.jsonl").write_text('{"stage": "va')
    assert "curves.jsonl: damaged in line 1" in refused(source=copy)
    half = tmp_path / "half"
    checkpoint.save(half / "checkpoint.safetensors", tensors, {**description, "done": {"vae": 1}})
    assert "stage 'vae' of the training there is not finished" in refused(source=half)


def test_relabelled_data_are_refused_by_run_and_offline_training(data, trained, tmp_path, capsys):
    """To every pixel and number the same data: one demonstration is called random."""
    other, run = shutil.copytree(data, tmp_path / "data"), shutil.copytree(trained, tmp_path / "r")
    words = ["train", *tiny_runs.options(), "--data", str(other)]
    assert main([*words, "--run", str(run)]) == 0
    path = next(other.glob("demonstration_*"))
    write_episode(other, path.stem, replace(read_episode(path), source="random"))
    capsys.readouterr()
    assert main([*words, "--run", str(run)]) == 2
    assert "this run was begun with another data_hash" in capsys.readouterr().err
    assert main([*words, "--run", str(tmp_path / "new"), "--offline", str(trained)]) == 2
    assert "the training there has another data_hash" in capsys.readouterr().err


def test_a_training_of_an_earlier_version_is_taken_over_with_a_warning(
    data, trained, tmp_path, capsys
):
    old = shutil.copytree(trained, tmp_path / "old")
    tensors, description = checkpoint.load(old / "checkpoint.safetensors")
    description["data_hash"] = data_hash(data)._version_1
    checkpoint.save(old / "checkpoint.safetensors", tensors, description)
    words = ["train", *tiny_runs.options(), "--data", str(data), "--run", str(tmp_path / "new")]
    assert main([*words, "--offline", str(old)]) == 0
    assert "could not be checked" in capsys.readouterr().err
    assert checkpoint.load(old / "checkpoint.safetensors")[1] == description, "it is only read"
    new = checkpoint.load(tmp_path / "new" / "checkpoint.safetensors")[1]
    assert new["data_hash"] == data_hash(data)


def test_data_of_another_domain_are_refused_by_name(data, tmp_path, capsys):
    directory = shutil.copytree(data, tmp_path / "data")
    dataset.claim(directory, load_domain("navigation"))
    words = ["train", "--domain", "reacher", "--data", str(directory)]
    assert main([*words, "--run", str(tmp_path / "run")]) == 2
    assert "data of domain 'navigation', not of 'reacher'" in capsys.readouterr().err
    assert main(["collect", "--data", str(directory)]) == 2
    (directory / dataset.MARKER).unlink()
    assert main(["train", "--data", str(directory), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "images (64, 64, 3)" in error and "(64, 64, 1)" in error
    smaller = Spec("pushing", (64, 64, 3), (-0.05, -0.05), (0.05, 0.05))
    with pytest.raises(DataError, match="bounds of domain 'pushing' are"):
        dataset.read_data(directory, smaller)


def test_a_run_belongs_to_one_process(data, tmp_path, capsys):
    words = ["train", *tiny_runs.options(), "--data", str(data), "--run", str(tmp_path)]
    with exclusive(tmp_path):
        assert main(words) == 2
    assert "another process is at work" in capsys.readouterr().err
