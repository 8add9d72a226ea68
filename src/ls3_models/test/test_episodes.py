"""Episode files are there whole or not at all, and damage is named."""

import dataclasses

import numpy as np
import pytest
from small import SPEC, episode

from ls3_common.errors import DataError
from ls3_models.episodes import data_hash, list_episodes, read_episode, read_episodes, write_episode


def test_an_episode_survives_the_disk(tmp_path):
    one = episode(3)
    again = read_episode(write_episode(tmp_path, "a", one))
    for field in dataclasses.fields(one):
        written, read = getattr(one, field.name), getattr(again, field.name)
        assert np.array_equal(written, read) if isinstance(read, np.ndarray) else written == read
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_file_cut_off_mid_write_is_named(tmp_path, share):
    path = write_episode(tmp_path, "cut", episode())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"cut\.h5"):
        read_episode(path)


def test_a_partial_file_of_a_killed_writer_is_no_episode(tmp_path):
    write_episode(tmp_path, "whole", episode())
    (tmp_path / ".half.123.part").write_bytes(b"\x89HDF")
    assert len(list_episodes(tmp_path)) == 1


def test_an_empty_directory_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="ls3 collect"):
        read_episodes(tmp_path)


def test_episodes_of_two_domains_are_refused(tmp_path):
    write_episode(tmp_path, "a", episode())
    other = episode()
    write_episode(
        tmp_path, "b", dataclasses.replace(other, observations=other.observations[:, :32])
    )
    with pytest.raises(DataError, match=r"b\.h5"):
        read_episodes(tmp_path)


def test_data_of_another_action_size_are_refused():
    other = dataclasses.replace(episode(), actions=np.zeros((6, 3), np.float32))
    with pytest.raises(DataError, match="3-D actions"):
        SPEC.check([other])


def test_an_action_that_is_not_finite_is_no_data():
    one = episode()
    actions = one.actions.copy()
    actions[2, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        dataclasses.replace(one, actions=actions)


def test_the_hash_sees_a_changed_pixel(tmp_path):
    one = episode()
    write_episode(tmp_path, "a", one)
    before = data_hash(tmp_path)
    assert before == data_hash(tmp_path)
    images = one.observations.copy()
    images[0, 0, 0, 0] ^= 1
    write_episode(tmp_path, "a", dataclasses.replace(one, observations=images))
    assert data_hash(tmp_path) != before
