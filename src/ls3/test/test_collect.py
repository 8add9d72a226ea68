"""Collecting asks the environment how each behaviour's episodes begin and how long they are."""

import dataclasses

import gymnasium
import numpy as np
import pytest

from ls3.learning.collect import ATTEMPTS, collect
from ls3.runs.domains import load_domain
from ls3_common.errors import UserError
from ls3_models.episodes import list_episodes, read_episodes

pytestmark = pytest.mark.background

T = 12
COUNTS = {"demonstrations": 3, "random": 2, "constraint": 2}


class Line(gymnasium.Env):
    """A point on a line: from 0, the goal is beyond 5 and what must be avoided below -5."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 4, 1), np.uint8)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    luck = 0.3  # of a demonstration

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-4, 4) if options else 0.0
        return self._look(), self._info()

    def step(self, action):
        self.place += float(action[0])
        return self._look(), -1.0, False, False, self._info()

    def behaviour(self, kind, rng):
        failing = kind != "demonstration" or rng.random() > self.luck
        return lambda _info: np.full(1, -1.0 if failing else 1.0, np.float32)

    def _look(self):
        return np.full((4, 4, 1), 100 + 5 * self.place, np.uint8)

    def _info(self):
        return {"success": self.place > 5, "constraint": self.place < -5}


class ShortRandom(Line):
    behaviour_lengths = {"random": 5}
    random_starts = ("random",)


def collected(kind, directory):
    """Episodes of an environment, by their source."""
    env = gymnasium.wrappers.TimeLimit(kind(), T)
    config = dataclasses.replace(load_domain("navigation").algorithm, **COUNTS)
    collect(env, config, directory, seed=0)
    found = {}
    for episode in read_episodes(directory):
        found.setdefault(episode.source, []).append(episode)
    return found


def test_lengths_and_starts_are_the_environments(tmp_path):
    episodes = collected(ShortRandom, tmp_path)
    assert {source: [len(e) for e in found] for source, found in episodes.items()} == {
        "constraint": [T] * 2,
        "demonstration": [T] * 3,
        "random": [5] * 2,
    }
    assert [len(e.observations) for e in episodes["random"]] == [6, 6]
    starts = {
        source: {e.observations[0].max() for e in found} for source, found in episodes.items()
    }
    assert starts["demonstration"] == starts["constraint"] == {100}
    assert len(starts["random"] - {100}) == 2


def test_an_environment_that_says_nothing_has_episodes_of_t(tmp_path):
    episodes = collected(Line, tmp_path)
    assert {len(e) for found in episodes.values() for e in found} == {T}


def test_only_demonstrations_that_succeed_are_kept(tmp_path):
    episodes = collected(Line, tmp_path)
    assert all(e.succeeded and not e.violated for e in episodes["demonstration"])
    assert all(e.violated for e in episodes["constraint"])


def test_a_demonstrator_that_never_succeeds_is_named(tmp_path):
    class Hopeless(Line):
        luck = 0.0

    with pytest.raises(UserError, match=f"{ATTEMPTS} demonstrations in a row"):
        collected(Hopeless, tmp_path)
    assert not list_episodes(tmp_path)
