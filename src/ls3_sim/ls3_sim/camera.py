"""A camera of a MuJoCo model; its renderers are made when needed, and released in order."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ls3_sim.gl import mujoco, release, renderer

Image = NDArray[np.uint8]


class Camera:
    """Square pictures by the camera `name`. A renderer belongs to the thread that first draws."""

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        self._model, self._name = model, name
        self._renderers: dict[int, tuple[Any, Any]] = {}  # by size, with what releases each

    def draw(self, data: mujoco.MjData, size: int, option: Any = None) -> Image:
        """The picture of a state, uint8 (size, size, 3); option: a `mujoco.MjvOption`."""
        if size not in self._renderers:
            made = renderer(self._model, size, size)
            # also at exit: its own __del__ comes too late, when EGL is already unloaded
            self._renderers[size] = made, weakref.finalize(self, release, made)
        drawn, _ = self._renderers[size]
        drawn.update_scene(data, camera=self._name, scene_option=option)
        return drawn.render()

    def draw_smooth(self, data: mujoco.MjData, size: int, option: Any = None) -> Image:
        """Drawn with twice the pixels and averaged: motions of a fraction of a pixel show."""
        fine = self.draw(data, 2 * size, option).astype(np.uint16)
        rows = fine[::2] + fine[1::2]
        return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)

    def close(self) -> None:
        """Release what was made; call it from the thread that drew. May be called twice."""
        for _, free in self._renderers.values():
            free()
        self._renderers.clear()
