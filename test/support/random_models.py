"""Untrained models, for tests and timings of everything around the models."""

from __future__ import annotations

import torch

from ls3_models.bundle import Bundle
from ls3_models.config import LearnerConfig
from ls3_models.models import Models


def random_bundle(
    seed: int = 0,
    *,
    domain: str = "cable_routing",
    observation_shape: tuple[int, int, int] = (64, 64, 1),
    action_low: tuple[float, ...] = (-0.015, -0.015),
    action_high: tuple[float, ...] = (0.015, 0.015),
    config: LearnerConfig | None = None,
) -> Bundle:
    """A bundle whose weights are those that `seed` draws; by default of the paper's sizes."""
    config = config or LearnerConfig(
        latent_dim=32,
        beta=1e-6,
        batch_size=256,
        gamma=0.99,
        gamma_safe=0.9,
        augmentation="none",
        vae_iterations=1,
        offline_iterations=1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        models = Models(config, observation_shape[2], len(action_low))
    models.eval().requires_grad_(False)
    return Bundle(models, config, domain, observation_shape, action_low, action_high)
