"""The positive control of the comparisons: navigation from the true state instead of a picture.

A comparison that is written badly passes for a weak method. From the true state (x, y) each method
must learn navigation within the paper's 250 episodes. Everything else is as in `ls3 learn`.

    python -m ls3.cli.positive_control --methods sacfd --seed 0 --run runs/positive_control
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ls3_models  # noqa: F401  before torch: it sets how torch's threads wait

# isort: split
import gymnasium
import numpy as np
import torch
import tyro
from torch import Tensor

from ls3.cli.guard import guarded
from ls3.learning.algorithm import OnlineLearning, in_process
from ls3.learning.checkpoints import evaluate_kept, rates
from ls3.learning.collect import collect
from ls3.learning.comparisons import AWAC_SECTIONS, RRL_SECTIONS, SACFD_SECTIONS, comparison
from ls3.learning.curve import training_rates
from ls3.runs.domains import load_domain
from ls3_common.errors import UserError
from ls3_common.files import write_json
from ls3_common.seeds import seed_of
from ls3_models.agent import AgentKind, Policy
from ls3_models.comparisons.awac import AwacAgent
from ls3_models.comparisons.networks import VectorTrunk
from ls3_models.comparisons.perception import Perception
from ls3_models.comparisons.replay import LatentFrames
from ls3_models.comparisons.sacfd import SacfdAgent
from ls3_models.comparisons.sacfd_rrl import SacfdRrlAgent
from ls3_models.data_hash import data_hash
from ls3_models.episodes import read_episodes
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import OfflineData, Spec
from ls3_sim.registration import make_environment

DOMAIN = "navigation"
WINDOW = (180.0, 150.0)
"""Size of the plane in which the point moves."""
SHAPE = (1, 1, 8)
"""Shape of an observation: the bytes of two float32 numbers in the place of a picture."""
PASSES = 0.9
"""Greedy success rate that shows that a method works."""


class TrueState(gymnasium.ObservationWrapper):
    """Navigation whose observation is the position of the point, as bytes."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(0, 255, SHAPE, np.uint8)

    def observation(self, observation: Any) -> np.ndarray:
        """Return the position instead of the picture."""
        position = self.env.unwrapped.scene.position  # type: ignore[attr-defined]
        return np.asarray(position, np.float32).view(np.uint8).reshape(SHAPE)


def positions(observations: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the positions in observations (n, 1, 1, 8), scaled to [-1, 1], and no spread."""
    flat = np.ascontiguousarray(observations).reshape(-1, SHAPE[-1]).view(np.float32)
    scaled = torch.from_numpy(2 * flat / np.array(WINDOW, np.float32) - 1)
    return scaled, torch.zeros_like(scaled)


def _see(_config: Any, _spec: Spec) -> Perception:
    return Perception(lambda: VectorTrunk(len(WINDOW)), lambda: LatentFrames(positions))


KINDS: dict[str, AgentKind] = {
    "sacfd": comparison("sacfd", SacfdAgent, SACFD_SECTIONS, _see),
    "sacfd_rrl": comparison("sacfd_rrl", SacfdRrlAgent, RRL_SECTIONS, _see),
    "awac": comparison("awac", AwacAgent, AWAC_SECTIONS, _see),
}


@dataclass(kw_only=True)
class PositiveControl:
    """Learn navigation from the true state, then evaluate the policies on the way."""

    methods: list[str] = field(default_factory=lambda: list(KINDS))
    """Names of the methods."""
    seed: int = 0
    """Seed of all random numbers."""
    set: list[str] = field(default_factory=list)
    """Changes of parameters, SECTION.KEY=VALUE."""
    rollouts: int = 20
    """Number of greedy episodes of each policy."""
    run: Path = Path("runs/positive_control")
    """Directory of data and runs; an interrupted run continues there."""
    out: Path | None = None
    """JSON file for the figures."""

    def execute(self) -> None:
        """Run the methods one after the other and print the figures as JSON."""
        for name in self.methods:
            if name not in KINDS:
                raise UserError(f"no method '{name}'", do=f"methods: {', '.join(KINDS)}")
        figures = {name: self._learn(name) for name in self.methods}
        if self.out:
            write_json(self.out, figures)
        print(json.dumps(figures, indent=1))

    def _learn(self, name: str) -> dict[str, Any]:
        kind = KINDS[name]
        domain = load_domain(DOMAIN, overrides=self.set, agent=kind.sections)
        env = TrueState(make_environment(domain.spec))
        data_directory = self.run / "data"
        collect(env, domain.algorithm, data_directory, seed=self.seed)
        bounds = domain.data_spec
        spec = Spec(DOMAIN, SHAPE, bounds.action_low, bounds.action_high)
        episodes = read_episodes(data_directory)
        data = OfflineData.split(spec, episodes, data_hash(data_directory))
        settings = domain.settings(kind.sections)
        directory = self.run / name / f"seed_{self.seed}"
        agent = kind.make(settings, data, self.seed)
        training = OfflineTraining(agent, data, directory, seed=self.seed)
        training.run()
        source = in_process(env, stop_on_success=domain.algorithm.stop_on_success)
        online = OnlineLearning(
            agent, domain.algorithm, source, training, directory / "online", seed=self.seed
        )
        online.run()
        seeds = [seed_of(self.seed, "evaluate", i) for i in range(self.rollouts)]

        def load(path: Path) -> Policy:
            return kind.load(path, settings, spec)

        found = rates(evaluate_kept(online.directory, load, env, seeds))
        env.close()
        good = [
            episodes
            for episodes, rate in zip(found["episodes"], found["success_rate"], strict=True)
            if episodes and rate >= PASSES  # what demonstrations alone led to does not count
        ]
        return {
            **training_rates(online.rows),
            "first_policy_that_passes": good[0] if good else None,
            "last_policy_success_rate": found["success_rate"][-1],
            "policies": found,
        }


def main() -> int:
    """Entry point; returns the exit code."""
    return guarded(lambda: tyro.cli(PositiveControl).execute())


if __name__ == "__main__":
    sys.exit(main())
