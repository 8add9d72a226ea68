"""Draws pictures with a camera of a MuJoCo model, and manages the renderers."""

from __future__ import annotations

import weakref
from typing import Any

from ls3_sim.gl import mujoco, release, renderer
from ls3_sim.pictures import Change, Image, halved


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

    def draw_smooth(self, data: mujoco.MjData, size: int, change: Change | None = None) -> Image:
        """Draw a state at twice the size and average, so that sub-pixel motions show.

        Args:
            data: the state.
            size: side of the picture, px.
            change: is applied before averaging.

        Returns:
            uint8 (size, size, 3).
        """
        fine = self.draw(data, 2 * size)
        return halved(fine if change is None else change(fine))

    def close(self) -> None:
        """Release the renderers; may be called twice."""
        for _, release_renderer in self._renderers.values():
            release_renderer()
        self._renderers.clear()
