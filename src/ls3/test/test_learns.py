"""A tiny navigation run that has to learn: all of Algorithm 1, from pictures, in about a minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ls3.learning.algorithm import OnlineLearning, in_process
from ls3.learning.collect import collect
from ls3.learning.ls3_agent import Ls3Agent
from ls3.learning.policy import evaluate
from ls3.runs.domains import Domain, load_domain
from ls3_models.episodes import read_episodes
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import OfflineData
from ls3_sim.behaviours import Behaviour
from ls3_sim.navigation_env import NavigationEnv
from ls3_sim.navigation_scene import NavigationLayout
from ls3_sim.registration import make_environment

pytestmark = pytest.mark.background

NAME = "LS3/ShortNavigation-v0"
STEPS = 30
EPISODES = 4
LAYOUT = NavigationLayout(
    start=(110.0, 75.0),
    goal=(150.0, 75.0),
    goal_radius=6.0,
    obstacle_low=(115.0, 95.0),
    obstacle_high=(145.0, 120.0),
)
SETTINGS = [
    f"domain.environment={NAME}",
    f"domain.horizon={STEPS}",
    "algorithm.demonstrations=20",
    "algorithm.constraint=12",
    "algorithm.trajectories=2",
    "algorithm.updates=1",
    "learner.vae_iterations=300",
    "learner.vae_batch_size=32",
    "learner.offline_iterations=600",
    "learner.update_iterations=50",
    "learner.value_update_iterations=50",
    "learner.learning_rate=1e-3",
    "learner.batch_size=128",
    "learner.hidden=64",
    "learner.augmentation=none",
    "planner_node.realtime.candidates=120",
    "planner_node.realtime.particles=5",
    "planner_node.realtime.elites=15",
    "planner_node.realtime.iterations=3",
]


class ShortNavigation(NavigationEnv):
    """The point a third of the way from the goal; demonstrations go there in a straight line."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode, LAYOUT)

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        obstacle = (np.array(LAYOUT.obstacle_low) + LAYOUT.obstacle_high) / 2
        limit = self.domain.largest_action
        target = np.array(LAYOUT.goal) if kind == "demonstration" else obstacle

        def act(info: Mapping[str, Any]) -> np.ndarray:
            towards = np.clip(target - info["position"], -limit, limit)
            noisy = towards + rng.normal(0, 1.2, 2)
            return np.clip(noisy, -limit, limit).astype(np.float32)

        return act


@pytest.fixture
def domain() -> Iterator[Domain]:
    gymnasium.register(NAME, entry_point=ShortNavigation, max_episode_steps=STEPS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_domain("navigation", overrides=SETTINGS)
    torch.set_num_threads(threads)
    del gymnasium.registry[NAME]


def succeeded(agent: Ls3Agent, env: gymnasium.Env) -> int:
    """Of EPISODES with the models as they are."""
    episodes = evaluate(env, agent.policy(), range(EPISODES))
    assert not any(episode.violated for episode in episodes if episode.succeeded)
    return sum(episode.succeeded for episode in episodes)


@pytest.mark.timeout(400)  # a minute, if nothing else wants the processor
def test_success_rises_above_the_untrained_planners(domain: Domain, tmp_path: Path) -> None:
    env = make_environment(domain.spec)
    collect(env, domain.algorithm, tmp_path / "data", seed=0)
    data = OfflineData.split(domain.data_spec, read_episodes(tmp_path / "data"), "")
    agent = Ls3Agent(domain.learner, domain.planner, data, 0)
    training = OfflineTraining(agent, data, tmp_path, seed=0)
    assert succeeded(agent, env) == 0
    training.run()
    source = in_process(env, stop_on_success=True)
    online = OnlineLearning(agent, domain.algorithm, source, training, tmp_path / "online", seed=0)
    online.run()
    assert succeeded(agent, env) >= 3
    env.close()
