"""Episode files are there whole or not at all, and damage is named."""

import dataclasses

import numpy as np
import pytest
from small import SPEC, episode

from ls3_common.errors import DataError
from ls3_models.episodes import (
    episode_return,
    list_episodes,
    read_episode,
    read_episodes,
    write_episode,
)

pytestmark = pytest.mark.background


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


def test_images_of_other_numbers_are_no_data():
    one = episode()
    with pytest.raises(ValueError, match="float32, not uint8"):
        dataclasses.replace(one, observations=one.observations.astype(np.float32))


def labelled(success, constraint):
    """An episode of five steps with a 1 in each step that is so labelled; it pays as ours do."""
    success, constraint = (np.array([c == "1" for c in text]) for text in (success, constraint))
    rewards = np.where(success, 0, -1).astype(np.float32)
    one = episode(steps=5)
    return dataclasses.replace(one, success=success, constraint=constraint, rewards=rewards)


@pytest.mark.parametrize(
    ("success", "constraint", "steps", "total"),
    [
        ("00110", "00000", 3, -2),
        ("00110", "00011", 3, -2),  # a violation after the goal takes nothing back
        ("00110", "01000", None, -10),  # through the constraint into the goal
        ("00110", "00100", None, -9),  # both with one state, for which the environment paid
        ("00000", "00010", None, -10),
        ("00000", "00000", None, -10),
    ],
)
def test_the_goal_counts_as_reached_only_without_a_violation_before_it(
    success, constraint, steps, total
):
    one = labelled(success, constraint)
    assert one.steps_to_goal == steps
    assert one.succeeded == (steps is not None)
    assert one.violated == ("1" in constraint)
    assert episode_return(one, 10) == total


def test_a_damaged_byte_is_noticed(tmp_path):
    path = write_episode(tmp_path, "a", episode())
    content = bytearray(path.read_bytes())
    rewards = content.index(episode().rewards.tobytes())
    content[rewards + 3] ^= 1  # a number like another
    path.write_bytes(content)
    with pytest.raises(DataError, match="not what was written"):
        read_episode(path)
