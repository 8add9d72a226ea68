"""Decodes imagined latents with the model that imagined them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from ls3_common.errors import UserError
from ls3_common.images import newest
from ls3_models.bundle import load_bundle


class Imagination:
    """Holds one model, and follows a planner that changes its model."""

    def __init__(self, model: str) -> None:
        """Load the model in the directory `model`.

        Raises:
            DataError: there is no model, or it is damaged.
        """
        import torch

        torch.set_num_threads(1)
        self._bundle = load_bundle(model)
        self._failed = ""  # identity of a model that is not in its directory
        self._latent: np.ndarray | None = None
        self._image: np.ndarray | None = None

    def image(self, latent: np.ndarray | None, model: str, identity: str) -> np.ndarray | None:
        """Decode a latent (d,) to the newest frame, uint8 (height, width, channels).

        Args:
            latent: the latent; None if nothing is imagined.
            model: directory of the model that imagined the latent.
            identity: identity of that model; empty if unknown.

        Returns:
            The frame; None without a latent, or without the model that imagined it.
        """
        if latent is None or not self._follow(model, identity):
            return None
        if latent is not self._latent:
            channels = self._bundle.frame_channels
            if latent.shape != (self._bundle.config.latent_dim,):
                return None
            self._latent, self._image = (
                latent,
                newest(self._bundle.decode(latent[None])[0], channels),
            )
        return self._image

    def _follow(self, model: str, identity: str) -> bool:
        """Return whether the model of this identity is at hand, loaded anew if it has changed."""
        if identity not in (self._bundle.identity, self._failed):
            self._latent = None
            with contextlib.suppress(UserError):  # it is being written, or gone
                self._bundle = load_bundle(Path(model))
            if identity != self._bundle.identity:
                self._failed = identity
        return identity == self._bundle.identity
