"""A tiny data set and configuration, so that a training takes a second."""

import numpy as np

from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode
from ls3_models.offline_data import Spec

SPEC = Spec("tiny", (64, 64, 1), (-0.01, -0.01), (0.01, 0.01))


def config(**changes):
    """A configuration of a few small steps."""
    values = {
        "latent_dim": 4,
        "beta": 1e-6,
        "batch_size": 8,
        "gamma": 0.99,
        "gamma_safe": 0.9,
        "augmentation": "warp",
        "vae_batch_size": 8,
        "vae_iterations": 6,
        "offline_iterations": 6,
        "hidden": 16,
        "dynamics_hidden": 16,
        "target_interval": 2,
        "checkpoint_interval": 2,
    }
    return LearnerConfig(**{**values, **changes})


def episode(seed=0, steps=6, source="demonstration", goal_from=4):
    """A dot that moves; in the goal from step `goal_from` on."""
    rng = np.random.default_rng(seed)
    images = np.zeros((steps + 1, 64, 64, 1), np.uint8)
    for step in range(steps + 1):
        row, column = rng.integers(0, 56, 2)
        images[step, row : row + 8, column : column + 8] = 255
    success = np.arange(steps) >= goal_from
    return Episode(
        observations=images,
        actions=rng.uniform(-0.01, 0.01, (steps, 2)).astype(np.float32),
        rewards=np.where(success, 0, -1).astype(np.float32),
        constraint=np.zeros(steps, bool),
        success=success,
        source=source,
        seed=seed,
    )


def episodes(count=22):
    """Enough for two to be held out."""
    return [episode(seed) for seed in range(count)]
