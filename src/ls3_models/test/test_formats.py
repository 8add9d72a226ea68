"""Files of an older format are read as what they are, those of a newer one refused in words."""

import json
import os
import resource
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from random_models import random_bundle
from small import episode

from ls3_common.errors import DataError
from ls3_models import bundle, checkpoint, episodes
from ls3_models.bundle import MANIFEST, WEIGHTS, load_bundle, save_bundle
from ls3_models.episodes import read_digest, read_episode, write_episode
from ls3_models.formats import Format

pytestmark = pytest.mark.background

OLD_EPISODES = Path(__file__).parent / "format_1"
"""Two files as the last version wrote them that knew format 1 only."""
SHIPPED = Path(__file__).parents[2] / "ls3_planner" / "models"


def test_content_goes_through_every_migration_in_order():
    kind = Format(
        "thing", {1: lambda c: c | {"b": c["a"] + 1}, 2: lambda c: {"ab": c["a"] * c["b"]}}
    )
    assert (kind.newest, kind.mark) == (3, "ls3-thing-3")
    assert kind.migrated({"a": 2}, 1) == {"ab": 6}
    assert kind.migrated({"a": 2, "b": 5}, 2) == {"ab": 10}
    assert kind.migrated({"ab": 7}, 3) == {"ab": 7}


def test_episodes_of_format_1_are_read():
    rng = np.random.default_rng(0)
    for name, steps in (("demonstration", 4), ("random", 3)):
        path = OLD_EPISODES / f"{name}_00000.h5"
        with h5py.File(path) as file:
            assert file.attrs["format"] == "ls3-episode-1"
        one = read_episode(path)
        images = rng.integers(0, 256, (steps + 1, 6, 6, 1), dtype=np.uint8)
        assert np.array_equal(one.observations, images)
        assert np.array_equal(one.actions, rng.uniform(-0.01, 0.01, (steps, 2)).astype(np.float32))
        assert (one.source, one.seed, dict(one.attributes)) == (name, 7, {"holds": 1})
        assert one.steps_to_goal == (3 if name == "demonstration" else None)
        assert one.violated == (name == "random")
        assert read_digest(path) == one.digest()


def test_an_episode_of_format_1_that_is_written_again_is_of_format_2(tmp_path):
    old = read_episode(OLD_EPISODES / "random_00000.h5")
    path = write_episode(tmp_path, "again", old)
    with h5py.File(path) as file:
        assert file.attrs["format"] == "ls3-episode-2"
        assert file.attrs["digest"] == old.digest() == read_digest(path)
    assert read_episode(path).digest() == old.digest()


@pytest.mark.parametrize("name", ["cable_routing", "navigation", "pushing", "reacher"])
def test_shipped_models_are_of_a_format_that_is_read(name):
    loaded = load_bundle(SHIPPED / name)
    assert loaded.domain == name
    number = bundle.FORMAT.number(loaded.manifest["format"], name)
    assert (loaded.manifest["weights"] is None) == (number == 1)


def test_a_model_of_format_1_that_is_saved_again_is_of_format_2(tmp_path):
    """Format 1 is format 2 without the weights' hash in the manifest."""
    path = tmp_path / "old"
    path.mkdir()
    tensors, description = checkpoint.load(SHIPPED / "cable_routing" / WEIGHTS)
    description["format"] = "ls3-bundle-1"
    checkpoint.save(path / WEIGHTS, tensors, description)
    manifest = json.loads((SHIPPED / "cable_routing" / MANIFEST).read_text())
    del manifest["weights"]
    (path / MANIFEST).write_text(json.dumps(manifest | description))
    old = load_bundle(path)
    assert old.manifest["format"] == "ls3-bundle-1"
    again = save_bundle(old, tmp_path / "again")
    assert again.manifest["format"] == "ls3-bundle-2"
    assert again.manifest["data_hash"] == old.manifest["data_hash"]
    latents = np.random.default_rng(0).normal(size=(2, 32))
    assert np.array_equal(again.decode(latents), old.decode(latents))


NEWER = r"made by a newer version: format 3, this one reads up to 2(?s:.*)update this program"


@pytest.mark.parametrize("read", [read_episode, read_digest])
def test_an_episode_of_a_newer_format_is_refused_whatever_is_in_it(tmp_path, read):
    path = tmp_path / "new.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "ls3-episode-3"
    with pytest.raises(DataError, match=NEWER) as caught:
        read(path)
    assert "delete" not in str(caught.value) and "new.h5" in str(caught.value)


def test_a_model_of_a_newer_format_is_refused_whatever_is_in_it(tmp_path):
    checkpoint.save(tmp_path / WEIGHTS, {}, {"format": "ls3-bundle-3"})
    (tmp_path / MANIFEST).write_text("<not even JSON>")
    with pytest.raises(DataError, match=NEWER):
        load_bundle(tmp_path)


@pytest.mark.parametrize("mark", ["ls3-bundle-1", "ls3-episode-0", "ls3-episode-", "x", "", None])
def test_a_file_of_someone_else_is_not_to_be_deleted(tmp_path, mark):
    path = tmp_path / "robomimic.h5"
    with h5py.File(path, "w") as file:
        if mark is not None:
            file.attrs["format"] = mark
    with pytest.raises(DataError, match="not an LS3 episode") as caught:
        read_episode(path)
    assert "delete" not in str(caught.value)


def test_the_manifest_of_other_weights_is_refused(tmp_path):
    for seed in (0, 1):
        save_bundle(random_bundle(seed), tmp_path / str(seed))
    shutil.copy(tmp_path / "1" / MANIFEST, tmp_path / "0" / MANIFEST)
    with pytest.raises(DataError, match="describes other weights"):
        load_bundle(tmp_path / "0")


def test_a_manifest_of_format_2_must_name_its_weights(tmp_path):
    save_bundle(random_bundle(), tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    del manifest["weights"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"damaged model \('weights'\)"):
        load_bundle(tmp_path)


def readers(folder: Path):
    """Each file of ours in `folder`, and what reads it."""

    def load_model(path):
        load_bundle(path.parent)

    save_bundle(random_bundle(), folder / "one")
    save_bundle(random_bundle(), folder / "two")
    checkpoint.save(folder / "c.safetensors", {}, {})
    return {
        write_episode(folder, "a", episode()): read_episode,
        write_episode(folder, "b", episode()): read_digest,
        folder / "one" / WEIGHTS: load_model,
        folder / "two" / MANIFEST: load_model,
        folder / "c.safetensors": checkpoint.load,
    }


@pytest.mark.parametrize("target", ["/proc/self/mem", "loop", "."])
def test_files_that_cannot_be_read_are_not_called_damaged(tmp_path, target):
    """An input/output error, a loop of links, a directory: root may read all else."""
    for path, read in readers(tmp_path).items():
        path.unlink()
        path.symlink_to(path.name if target == "loop" else target)
        with pytest.raises(DataError, match="cannot be read") as caught:
            read(path)
        assert "delete" not in str(caught.value) and path.name in str(caught.value)
        assert "damaged" not in str(caught.value)


def test_too_many_open_files_are_no_damage(tmp_path):
    found = readers(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = []
    for path, read in found.items():
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            read(path)
        except DataError as error:
            said.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(said) == len(found)
    assert all("Too many open files" in text and "delete" not in text for text in said)


def test_the_fixtures_are_small():
    sizes = [os.path.getsize(path) for path in OLD_EPISODES.iterdir()]
    assert len(sizes) == 2 and max(sizes) < 20_000
    assert episodes.FORMAT.newest == bundle.FORMAT.newest == 2
