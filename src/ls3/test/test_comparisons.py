"""The comparisons in `ls3 learn`: from pictures, from latents, killed and continued, evaluated."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_comparisons
import tiny_runs
import torch
from interruptions import KilledError, Signalling, killed

from ls3.cli.cli import main
from ls3.runs.methods import load_method, refuse_on_robot
from ls3_common.errors import DataError, UserError
from ls3_common.model_facts import read_model_facts
from ls3_models import checkpoint
from ls3_models.bundle import load_bundle
from ls3_models.comparisons.update_rule import UpdateRule
from ls3_models.episodes import list_episodes, read_episode
from ls3_sim import registration

pytestmark = pytest.mark.background

METHODS = ("sacfd", "sacfd_rrl", "awac", "sacfd_latents", "sacfd_rrl_latents", "awac_latents")
EPISODES = tiny_comparisons.EPISODES


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    """Directory with the data, the configuration and a trained VAE."""
    top = tmp_path_factory.mktemp("comparisons")
    data = tiny_runs.collect_data(top / "data")
    config = tiny_comparisons.write_config(top / "navigation.yaml")
    arguments = tiny_comparisons.words("train", "ls3", config, data)
    assert main([*arguments, "--run", str(top / "ls3")]) == 0
    return top


def words(top, method):
    """Of `ls3 learn`, without a directory."""
    offline = ["--offline", str(top / "ls3")] if method.endswith("latents") else []
    given = tiny_comparisons.words("learn", method, top / "navigation.yaml", top / "data")
    return [*given, "--seed", "3", *offline]


@pytest.fixture(scope="module")
def whole(top):
    """Runs that nothing has interrupted, made as they are asked for."""
    made = {}

    def run(method):
        if method not in made:
            path = top / "runs" / "navigation" / method / "seed_3"
            assert main([*words(top, method), "--run", str(path)]) == 0
            made[method] = path
        return made[method]

    return run


def assert_equal(run, other):
    """Same weights, optimisers and generators, same curves and the same episodes."""
    for name in ("checkpoint.safetensors", "online/checkpoint.safetensors"):
        (ours, _), (theirs, _) = (checkpoint.load(path / name) for path in (run, other))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    curves = [(path / "online" / "curve.jsonl").read_text() for path in (run, other)]
    assert curves[0] == curves[1]
    files = [list_episodes(path / "online" / "episodes") for path in (run, other)]
    for one, two in zip(*files, strict=True):
        assert (read_episode(one).actions == read_episode(two).actions).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_learns_and_is_evaluated(top, whole, method, capsys):
    run = whole(method)
    rows = [json.loads(line) for line in (run / "online" / "curve.jsonl").open()]
    assert [row["episode"] for row in rows] == list(range(EPISODES))
    assert ("recoveries" in rows[0]) == ("rrl" in method)
    before, about = checkpoint.load(run / "checkpoint.safetensors")
    after, _ = checkpoint.load(run / "online" / "checkpoint.safetensors")
    assert about["agent"] == method and set(about["done"].values()) == {4}
    for name in ("actor", "critic"):
        changed = [not torch.equal(before[k], after[k]) for k in after if k.startswith(f"{name}.")]
        assert any(changed), name
    capsys.readouterr()
    figures = []
    given = tiny_comparisons.words("evaluate", method, top / "navigation.yaml", None)
    for _ in range(2):
        assert main([*given, "--model", str(run / "model"), "--episodes", "2"]) == 0
        printed = capsys.readouterr().out
        figures.append(json.loads(printed[printed.index("{") :]))
    assert figures[0] == figures[1] and figures[0]["episodes"] == 2


@pytest.mark.parametrize("method", ["sacfd_rrl", "awac", "sacfd_rrl_latents"])
def test_killed_inside_an_episode_it_ends_the_same(top, whole, tmp_path, monkeypatch, method):
    made = registration.make_task

    def killing(domain, *more):
        return Signalling(made(domain, *more), 13, killed)  # in the second episode

    whole(method)
    with monkeypatch.context() as patch:
        patch.setattr(registration, "make_task", killing)
        with pytest.raises(KilledError):
            main([*words(top, method), "--run", str(tmp_path)])
    assert main([*words(top, method), "--run", str(tmp_path)]) == 0
    assert_equal(tmp_path, whole(method))


@pytest.mark.parametrize(("method", "steps"), [("sacfd_rrl", (7, 15)), ("awac_latents", (6,))])
def test_killed_inside_pre_training_it_ends_the_same(
    top, whole, tmp_path, monkeypatch, method, steps
):
    """At some gradient step of each stage; several networks step in one step."""
    whole(method)
    for step in steps:
        run, left, descend = tmp_path / str(step), [step], UpdateRule.descend

        def fail(self, name, loss, left=left, descend=descend):
            left[0] -= 1
            if not left[0]:
                raise KilledError
            descend(self, name, loss)

        with monkeypatch.context() as patch:
            patch.setattr(UpdateRule, "descend", fail)
            with pytest.raises(KilledError):
                main([*words(top, method), "--run", str(run)])
        assert main([*words(top, method), "--run", str(run)]) == 0
        assert_equal(run, whole(method))


def test_kill_9_loses_the_episode_at_hand_only(top, tmp_path):
    method = "sacfd_rrl"
    more = ["--run", str(tmp_path), "--set", "algorithm.updates=400"]
    program = "import sys; from ls3.cli.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words(top, method), *more], env=environment
    )
    try:
        deadline = time.monotonic() + 100
        while len(list_episodes(tmp_path / "online" / "episodes")) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    phase = checkpoint.load(tmp_path / "online" / "checkpoint.safetensors")[1]["phase"]
    more[-1] = f"algorithm.updates={phase + 1}"
    assert main([*words(top, method), *more]) == 0
    alone = tmp_path / "alone"
    assert main([*words(top, method), "--run", str(alone), *more[2:]]) == 0
    for path in list_episodes(tmp_path / "online" / "episodes")[phase + 1 :]:
        path.unlink()  # run before the kill, and beyond what is compared
    assert_equal(tmp_path, alone)


def test_where_the_gate_stays_shut_recovery_is_sacfd_to_the_last_bit(top, whole, tmp_path):
    shut = [*words(top, "sacfd_rrl"), "--set", "sacfd_rrl.eps_risk=1.1"]
    assert main([*shut, "--run", str(tmp_path)]) == 0
    for name in ("checkpoint.safetensors", "online/checkpoint.safetensors"):
        ours, _ = checkpoint.load(tmp_path / name)
        theirs, _ = checkpoint.load(whole("sacfd") / name)
        assert theirs.keys() < ours.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), name
    assert "recovery.free" in ours.keys() - theirs.keys()


def test_at_eps_0_every_action_is_the_recovery_policys(top, tmp_path):
    always = [*words(top, "sacfd_rrl"), "--set", "sacfd_rrl.eps_risk=0.0"]
    assert main([*always, "--run", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "online" / "curve.jsonl").open()]
    assert [row["recoveries"] for row in rows] == [tiny_comparisons.STEPS] * EPISODES


def test_the_task_policy_learns_from_what_it_proposed(top, whole):
    """The episodes hold the executed actions; where recovery took over, another was proposed."""
    run = whole("sacfd_rrl")
    tensors, _ = checkpoint.load(run / "online" / "checkpoint.safetensors")
    episodes = [read_episode(path) for path in list_episodes(run / "online" / "episodes")]
    executed = np.concatenate([episode.actions for episode in episodes])
    differ = (tensors["proposed"].numpy() != executed).any(axis=1)
    assert differ.sum() == sum(episode.attributes["recoveries"] for episode in episodes)
    assert 0 < differ.sum() < len(differ)


def test_latents_are_those_of_the_frozen_encoder(top, whole):
    tensors, _ = checkpoint.load(whole("sacfd_latents") / "online" / "checkpoint.safetensors")
    theirs, _ = checkpoint.load(top / "ls3" / "checkpoint.safetensors")
    ours = {key: value for key, value in tensors.items() if key.startswith("encoder.")}
    assert ours and all(torch.equal(value, theirs[f"models.{key}"]) for key, value in ours.items())
    origin = json.loads((whole("sacfd_latents") / "offline.json").read_text())
    assert origin["from"] == str(top / "ls3")


def test_by_default_latents_are_those_of_the_shipped_model(top, tmp_path):
    arguments = words(top, "awac_latents")[:-2]
    assert main([*arguments, "--run", str(tmp_path), "--set", "algorithm.updates=1"]) == 0
    tensors, _ = checkpoint.load(tmp_path / "checkpoint.safetensors")
    shipped = load_bundle(Path(json.loads((tmp_path / "offline.json").read_text())["from"]))
    mean = shipped.models.encoder.mean.weight
    assert torch.equal(tensors["encoder.mean.weight"], mean)


# -- what does not fit -----------------------------------------------------------------------------


def refused(arguments, capsys):
    capsys.readouterr()
    assert main([str(word) for word in arguments]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


def test_a_run_of_another_lambda_is_refused(top, whole, capsys):
    arguments = [*words(top, "sacfd"), "--run", whole("sacfd"), "--set", "sacfd.penalty=-20.0"]
    error = refused(arguments, capsys)
    assert "begun with another sacfd.penalty (" in error and "--run" in error


def test_a_run_of_another_method_is_refused(top, whole, capsys):
    arguments = [*words(top, "sacfd_rrl"), "--run", whole("sacfd")]
    assert "begun with another agent" in refused(arguments, capsys)


@pytest.mark.parametrize("method", ["sacfd", "sacfd_rrl", "awac", "awac_latents"])
def test_a_domain_without_its_section_is_refused(top, tmp_path, capsys, method):
    config = tiny_runs.write_config(tmp_path / "plain.yaml")
    arguments = tiny_comparisons.words("learn", method, config, top / "data")
    section = method.removesuffix("_latents").removesuffix("_rrl")
    assert f"no section '{section}'" in refused(arguments, capsys)


def test_a_penalty_is_no_reward(top, capsys):
    arguments = [*words(top, "sacfd"), "--set", "sacfd.penalty=3.0"]
    assert "'penalty' is 3.0" in refused(arguments, capsys)


def test_pictures_take_over_nothing(top, capsys):
    arguments = [*words(top, "sacfd"), "--offline", top / "ls3"]
    assert "method 'sacfd' cannot reuse another run" in refused(arguments, capsys)


def test_an_encoder_of_another_domain_is_refused(top, tmp_path, capsys):
    models = Path(registration.__file__).parents[2] / "ls3_planner" / "models"
    arguments = [*words(top, "sacfd_latents")[:-1], models / "reacher", "--run", tmp_path]
    error = refused(arguments, capsys)
    assert "another domain" in error and "frame_stack" in error and "number of channels" in error
    tensors, description = checkpoint.load(top / "ls3" / "checkpoint.safetensors")
    unfinished = {**description, "done": {"vae": 1}}
    checkpoint.save(tmp_path / "half" / "checkpoint.safetensors", tensors, unfinished)
    arguments[-3] = tmp_path / "half"
    assert "stage 'vae' of the training there is not finished" in refused(arguments, capsys)
    arguments[-3] = tmp_path / "nowhere"
    assert "nowhere" in refused(arguments, capsys)


def test_latents_without_any_vae_are_refused(top, tmp_path, monkeypatch, capsys):
    from ls3.learning import model_files

    monkeypatch.setattr(model_files, "find_shared", lambda _path: None)
    arguments = [*words(top, "sacfd_latents")[:-2], "--run", tmp_path]
    error = refused(arguments, capsys)
    assert "no model is shipped for 'navigation'" in error and "--offline" in error


def test_data_without_a_demonstration_are_refused(top, tmp_path, capsys):
    data = shutil.copytree(top / "data", tmp_path / "data")
    for path in data.glob("demonstration_*"):
        path.unlink()
    arguments = tiny_comparisons.words("learn", "sacfd", top / "navigation.yaml", data)
    error = refused([*arguments, "--run", tmp_path / "run"], capsys)
    assert "none of the 3 episodes reaches the goal" in error


def test_a_policy_of_another_method_or_domain_is_refused(top, whole, tmp_path, capsys):
    model = whole("sacfd") / "model"
    arguments = tiny_comparisons.words("evaluate", "awac", top / "navigation.yaml", None)
    error = refused([*arguments, "--model", model], capsys)
    assert "a policy of method 'sacfd'" in error and "--method sacfd" in error
    other = ["evaluate", "--domain", "reacher", "--method", "sacfd", "--model", model]
    assert "this is a model of 'navigation', not of 'reacher'" in refused(other, capsys)
    assert "no policy here" in refused([*other[:-1], tmp_path], capsys)
    spoiled = shutil.copytree(model, tmp_path / "spoiled")
    (spoiled / "policy.safetensors").write_bytes(b"nothing")
    other = tiny_comparisons.words("evaluate", "sacfd", top / "navigation.yaml", None)
    assert "damaged checkpoint" in refused([*other, "--model", spoiled], capsys)


def test_no_node_loads_a_policy(whole):
    for load in (read_model_facts, load_bundle):
        with pytest.raises(DataError, match="which must not move an arm"):
            load(whole("sacfd") / "model")


@pytest.mark.parametrize("method", METHODS)
def test_no_comparison_moves_an_arm_or_runs_in_workers(top, method, capsys):
    with pytest.raises(UserError, match=f"'{method}' must not move an arm"):
        refuse_on_robot(method)
    error = refused([*words(top, method), "--workers", "2"], capsys)
    assert f"episodes of method '{method}' cannot run in other processes" in error


@pytest.mark.parametrize("domain", ["navigation", "reacher", "pushing", "cable_routing"])
def test_the_papers_figures_stand_in_the_domains(domain):
    """Sections 7.1.2 to 7.1.4."""
    loaded = load_method(domain, "sacfd_rrl")
    awac = load_method(domain, "awac").own["awac"]
    risk = {
        "navigation": (0.95, 0.8),
        "reacher": (0.55, 0.7),
        "pushing": (0.75, 0.7),
        "cable_routing": (0.55, 0.7),
    }[domain]
    assert loaded.own["sacfd"].penalty == (-1 if domain == "reacher" else -3)
    assert awac.penalty == -1
    assert (loaded.own["sacfd_rrl"].gamma_risk, loaded.own["sacfd_rrl"].eps_risk) == risk
    assert loaded.own["sacfd"].frame_stack == awac.frame_stack == (3 if domain == "reacher" else 1)
