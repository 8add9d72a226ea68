"""The hash of a data set covers all that learning reads, and knows those of earlier versions."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small import SPEC, config, episode, episodes

from ls3_common.errors import DataError
from ls3_models import checkpoint, resume
from ls3_models.data_hash import data_hash
from ls3_models.episodes import Episode, write_episode
from ls3_models.ls3_learning import Ls3Learning
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import OfflineData

pytestmark = pytest.mark.background

FORMAT_1 = Path(__file__).parent / "format_1"
RECORDED = "ca72f04ef901144a"
"""What the version that wrote them said of the data set in `FORMAT_1`."""


def flipped(labels):
    return np.concatenate([~labels[:1], labels[1:]])


CHANGES = {
    "source": lambda one: {"source": "random"},
    "success": lambda one: {"success": flipped(one.success)},
    "constraint": lambda one: {"constraint": flipped(one.constraint)},
    "rewards": lambda one: {"rewards": one.rewards - np.float32(1e-6)},
    "actions": lambda one: {"actions": one.actions * np.float32(1.0001)},
    "observations": lambda one: {"observations": one.observations ^ np.uint8(1)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_the_hash_sees_each_thing_that_learning_reads(tmp_path, change):
    one = episode()
    write_episode(tmp_path, "a", one)
    before = data_hash(tmp_path)
    assert before == data_hash(tmp_path) and before.startswith("v2:")
    write_episode(tmp_path, "a", dataclasses.replace(one, **change(one)))
    assert data_hash(tmp_path) != before


def test_every_field_is_covered_or_said_not_to_be(tmp_path):
    fields = {field.name for field in dataclasses.fields(Episode)}
    assert fields - set(CHANGES) == {"seed", "attributes"}
    one = episode()
    write_episode(tmp_path, "a", one)
    before = data_hash(tmp_path)
    write_episode(tmp_path, "a", dataclasses.replace(one, seed=9, attributes={"holds": 3}))
    assert data_hash(tmp_path) == before


def test_the_hash_sees_another_order_and_another_shape(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        write_episode(tmp_path / "one", name, episode(seed))
        write_episode(tmp_path / "other", name, episode(1 - seed))
    assert data_hash(tmp_path / "one") != data_hash(tmp_path / "other")
    one = episode()
    turned = dataclasses.replace(one, observations=one.observations.reshape(-1, 32, 128, 1))
    assert one.digest() != turned.digest()


def test_a_hash_of_an_earlier_version_is_compared_as_that_version_made_it(tmp_path, capsys):
    data = shutil.copytree(FORMAT_1, tmp_path / "data")
    found = data_hash(data)
    assert found != RECORDED and found.equals_version_1(RECORDED)
    assert "could not be checked" in capsys.readouterr().err
    assert not found.equals_version_1("0123456789abcdef")
    assert not found.equals_version_1("v1:" + RECORDED) and not found.equals_version_1(None)
    assert json.loads(json.dumps(found)) == found
    (data / "random_00000.h5").unlink()
    assert not data_hash(data).equals_version_1(RECORDED)
    assert not capsys.readouterr().err


@pytest.fixture
def data(tmp_path):
    for number, one in enumerate(episodes(4)):
        write_episode(tmp_path / "data", f"{number:03d}", one)
    return tmp_path / "data"


def train(data, directory):
    split = OfflineData.split(SPEC, episodes(4), data_hash(data))
    agent = Ls3Learning(config(vae_iterations=1, offline_iterations=1), split, 0)
    training = OfflineTraining(agent, split, directory, seed=0)
    training.run()
    assert training.done == agent.stages


def relabel(data):
    """One demonstration called random: to every pixel and number the same data."""
    write_episode(data, "003", dataclasses.replace(episodes(4)[3], source="random"))


def test_a_run_with_relabelled_data_is_refused(data, tmp_path):
    train(data, tmp_path / "run")
    path = tmp_path / "run" / resume.CHECKPOINT
    before = path.stat().st_mtime_ns
    train(data, tmp_path / "run")
    assert path.stat().st_mtime_ns == before, "there was nothing to do"
    relabel(data)
    with pytest.raises(DataError, match="begun with another data_hash"):
        train(data, tmp_path / "run")


def test_a_run_of_an_earlier_version_goes_on_and_sees_what_is_relabelled_later(
    data, tmp_path, capsys
):
    train(data, tmp_path / "run")
    path = tmp_path / "run" / resume.CHECKPOINT
    tensors, description = checkpoint.load(path)
    old = data_hash(data)._version_1
    checkpoint.save(path, tensors, description | {"data_hash": old})
    capsys.readouterr()
    train(data, tmp_path / "run")
    assert "could not be checked" in capsys.readouterr().err
    assert checkpoint.load(path)[1]["data_hash"] == data_hash(data)
    train(data, tmp_path / "run")
    assert not capsys.readouterr().err
    relabel(data)
    with pytest.raises(DataError, match="begun with another data_hash"):
        train(data, tmp_path / "run")


def test_the_identity_of_an_online_run_is_compared_in_the_same_way(data):
    """It holds that of the offline training."""
    found = data_hash(data)
    ours = {"seed": 0, "offline": {"data_hash": found}}
    for recorded, same in ((found, True), (found._version_1, True), ("v2:0123456789abcdef", False)):
        theirs = {"seed": 0, "offline": {"data_hash": str(recorded)}}
        assert resume.is_same(ours, theirs) == same
