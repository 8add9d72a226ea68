"""Offline training learns, stops without loss and goes on to the very same weights."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from ros_bench import until
from small import SPEC, config, episode, episodes

from ls3_common.errors import ConfigError, DataError
from ls3_common.progress import Interrupted
from ls3_models import checkpoint, offline
from ls3_models.agent import NonFiniteLoss, TrainingStage
from ls3_models.learner import Learner
from ls3_models.ls3_learning import Ls3Learning, make_replay
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import OfflineData
from ls3_models.resume import CHECKPOINT
from ls3_models.validation import Validation

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]


def train(directory, **changes):
    data = OfflineData.split(SPEC, episodes(), "of small.py")
    return OfflineTraining(Ls3Learning(config(**changes), data, 0), data, directory, seed=0)


def weights(training):
    return training.agent.learner.models.state_dict()


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_losses_fall(tmp_path):
    learner = Learner(config(batch_size=64, learning_rate=3e-3), 1, 2, seed=0)
    replay = make_replay(learner, SPEC, episodes())
    first = learner.head_step(replay) | learner.value_step(replay, monte_carlo=True)
    for _ in range(150):
        last = learner.head_step(replay) | learner.value_step(replay, monte_carlo=True)
    for name, value in last.items():
        assert value < first[name], name


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    whole = train(tmp_path / "whole")
    whole.run()

    first = train(tmp_path / "parts")
    step = first.agent.learner.vae_step

    def interrupt(images):
        if first.done["vae"] == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(images)

    first.agent.learner.vae_step = interrupt
    with pytest.raises(Interrupted):
        first.run()
    assert 0 < first.done["vae"] < 6

    second = train(tmp_path / "parts")
    second.run()
    assert_equal(weights(whole), weights(second))
    points = [(row["stage"], row["step"]) for row in second.curves()]
    assert points == [(row["stage"], row["step"]) for row in whole.curves()]


PROGRAM = """
import sys; sys.path[:0] = sys.argv[2:]
import torch; torch.set_num_threads(1)
from pathlib import Path
from test_offline import train
train(Path(sys.argv[1]), vae_iterations=400).run()
"""


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    arguments = [str(tmp_path / "killed"), str(Path(__file__).parent), *sys.path]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
    path = tmp_path / "killed" / CHECKPOINT
    until(path.exists)
    time.sleep(0.3)
    process.kill()
    process.wait()
    _, description = checkpoint.load(path)
    assert 0 < description["done"]["vae"] < 400, "the kill came too late to test anything"

    changes = {"vae_iterations": description["done"]["vae"] + 5}
    # the number of iterations is part of a run's identity: compare runs of one length
    whole = train(tmp_path / "whole", **changes)
    whole.run()
    tensors, description = checkpoint.load(path)
    description["config"]["vae_iterations"] = changes["vae_iterations"]
    checkpoint.save(path, tensors, description)
    resumed = train(tmp_path / "killed", **changes)
    resumed.run()
    assert_equal(weights(whole), weights(resumed))


def test_slow_steps_are_kept_by_time(tmp_path, monkeypatch):
    """With steps of minutes, a checkpoint after every 500 of them would come too late."""
    monkeypatch.setattr(offline, "CHECKPOINT_S", 0.0)
    training = train(tmp_path, checkpoint_interval=1000)
    steps, update = [], training.agent.stage("vae").step

    def step():
        if len(steps) == 3:
            raise KeyboardInterrupt  # as good as killed: nothing is saved now
        steps.append(1)
        return update()

    monkeypatch.setattr(training.agent, "stage", lambda _name: TrainingStage(step))
    with pytest.raises(KeyboardInterrupt):
        training.run()
    assert train(tmp_path, checkpoint_interval=1000).done == {"vae": 3, "heads": 0}


def test_a_run_of_other_data_is_not_continued(tmp_path):
    train(tmp_path).save()
    with pytest.raises(DataError, match="another config"):
        train(tmp_path, latent_dim=5)


def test_a_single_episode_leaves_none_to_learn_from():
    with pytest.raises(DataError, match=r"1 episode: .* is kept out .*\n.*give more episodes"):
        OfflineData.split(SPEC, episodes()[:1], "one")


def test_a_run_begun_before_a_parameter_existed_goes_on_with_its_default(tmp_path):
    train(tmp_path).save()
    path = tmp_path / CHECKPOINT
    tensors, description = checkpoint.load(path)
    del description["config"]["frame_stack"], description["config"]["heads"]
    checkpoint.save(path, tensors, description)
    train(tmp_path)
    del description["config"]["beta"]  # has no default: such a run is another
    checkpoint.save(path, tensors, description)
    with pytest.raises(DataError, match="another config"):
        train(tmp_path)


def test_a_run_goes_on_with_the_same_bounds_of_actions_only(tmp_path):
    train(tmp_path).save()
    path = tmp_path / CHECKPOINT
    tensors, description = checkpoint.load(path)
    bounds = description.pop("action_bounds")
    assert bounds == [list(SPEC.action_low), list(SPEC.action_high)]
    checkpoint.save(path, tensors, description)
    train(tmp_path)  # begun before they were recorded
    assert checkpoint.load(path)[1]["action_bounds"] == bounds
    checkpoint.save(path, tensors, description | {"action_bounds": [[-1.0, -1.0], bounds[1]]})
    with pytest.raises(DataError, match="another action_bounds"):
        train(tmp_path)


def test_a_run_begun_with_other_settings_names_them_and_both_values(tmp_path):
    train(tmp_path).save()
    other = OfflineData.split(SPEC, episodes(), "none")
    agent = Ls3Learning(config(gamma=0.5, augmentation="crop"), other, 7)
    with pytest.raises(DataError) as refused:
        OfflineTraining(agent, other, tmp_path, seed=7)
    text = str(refused.value)
    for words in ("gamma (0.99, now 0.5)", "augmentation (warp, now crop)", "seed (0, now 7)"):
        assert words in text
    assert "beta" not in text


def test_images_that_the_networks_do_not_take_are_refused():
    spec = dataclasses.replace(SPEC, observation_shape=(32, 64, 1))
    data = OfflineData(spec, (), (), "none")
    with pytest.raises(ConfigError, match="images of 32 x 64, the networks take 64 x 64"):
        Ls3Learning(config(), data, 0)


def test_a_cut_off_checkpoint_is_named(tmp_path):
    train(tmp_path).save()
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=CHECKPOINT):
        train(tmp_path)


def test_a_loss_that_is_not_finite_stops_and_names_the_part():
    learner = Learner(config(), 1, 2, seed=0)
    with torch.no_grad():
        learner.models.heads.constraint.biases[0].fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match="constraint"):
        learner.head_step(make_replay(learner, SPEC, episodes()))


def test_curves_and_pictures_are_written(tmp_path):
    training = train(tmp_path)
    training.run()
    rows = [json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines()]
    assert {row["stage"] for row in rows} == {"vae", "heads"}
    assert (tmp_path / "reconstructions.png").stat().st_size > 100
    assert list(tmp_path.glob("tensorboard/vae/events.out.tfevents.*"))


@pytest.mark.parametrize(("channels", "frames"), [(1, 1), (3, 1), (9, 3)])
def test_pictures_are_in_colour_and_show_the_newest_of_stacked_frames(channels, frames):
    images = np.zeros((7, 64, 64, channels), np.uint8)
    images[..., -1] = 200
    one = dataclasses.replace(episode(), observations=images)
    learner = Learner(config(frame_stack=frames), channels, 2, seed=0)
    validation = Validation(learner, "tiny", [one])
    assert ("held_out/motion_unexplained" in validation.measure("vae")) == (frames > 1)
    shown = validation.reconstructions()
    assert shown.shape == (128, 7 * 64, 3)
    held_out = shown[:64].reshape(-1, 3)
    assert np.unique(held_out, axis=0).tolist() == [[200] * 3 if channels == 1 else [0, 0, 200]]
