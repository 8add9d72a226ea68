"""What tests of all environments do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls3_sim.cable_env import CableEnv
from ls3_sim.navigation_env import NavigationEnv
from ls3_sim.pushing_env import PushingEnv
from ls3_sim.reacher_env import ReacherEnv

ENVIRONMENTS = {
    "cable_routing": CableEnv,
    "navigation": NavigationEnv,
    "reacher": ReacherEnv,
    "pushing": PushingEnv,
}

Rollout = tuple[list[np.ndarray], list[float], list[dict[str, Any]]]


def run(env: Any, kind: str, seed: int, steps: int) -> Rollout:
    """Observations, rewards and infos of a behaviour, the reset's observation and info first."""
    anywhere = kind in getattr(env, "random_starts", ())
    observation, info = env.reset(seed=seed, options={"random_start": anywhere})
    act = env.behaviour(kind, np.random.default_rng(seed))
    observations, rewards, infos = [observation], [], [info]
    for _ in range(steps):
        observation, reward, _, _, info = env.step(act(info))
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
    return observations, rewards, infos


def check_frozen(
    env: Any, start: np.ndarray, observation: np.ndarray, info: dict[str, Any], action: Any
) -> None:
    """After the violation of `info` no action changes anything, until a reset, which shows `start`.

    Of an observation of several frames the newest is compared; speeds are not.
    """
    assert info["constraint"] is True and info["success"] is False
    places = [key for key, value in info.items() if isinstance(value, np.ndarray)]
    for _ in range(5):
        later, reward, terminated, truncated, then = env.step(np.asarray(action, np.float32))
        assert np.array_equal(later[..., -3:], observation[..., -3:])
        assert all(np.array_equal(then[key], info[key]) for key in places if key != "velocities")
        assert (reward, terminated, truncated) == (-1.0, False, False)
        assert then["constraint"] is True and then["success"] is False
    observation, info = env.reset(seed=0)
    assert np.array_equal(observation, start)
    assert info["constraint"] is False
