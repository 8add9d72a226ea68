"""Draws pictures with a camera of a MuJoCo model, and manages the renderers."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.gl import mujoco, release, renderer

Image = NDArray[np.uint8]
"""A picture, uint8 (height, width, 3), RGB."""


class Camera:
    """A camera of a model, which draws square pictures. Draw and close from one thread only."""

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        """Use the camera `name` of `model`."""
        self._model, self._name = model, name
        self._renderers: dict[int, tuple[Any, Any]] = {}  # by size, each with its release function

    def draw(self, data: mujoco.MjData, size: int, option: Any = None) -> Image:
        """Draw a state, uint8 (size, size, 3); `option` is a `mujoco.MjvOption` or None."""
        if size not in self._renderers:
            made = renderer(self._model, size, size)
            finalizer = weakref.finalize(self, release, made)
            finalizer.atexit = False  # gl's exit hook runs before EGL has ended, this one may not
            self._renderers[size] = made, finalizer
        drawn, _ = self._renderers[size]
        drawn.update_scene(data, camera=self._name, scene_option=option)
        return drawn.render()

    def draw_smooth(self, data: mujoco.MjData, size: int, option: Any = None) -> Image:
        """Draw a state at twice the size and average, so that sub-pixel motions show.

        Returns:
            uint8 (size, size, 3).
        """
        fine = self.draw(data, 2 * size, option).astype(np.uint16)
        rows = fine[::2] + fine[1::2]
        return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)

    def close(self) -> None:
        """Release the renderers; may be called twice."""
        for _, release_renderer in self._renderers.values():
            release_renderer()
        self._renderers.clear()
