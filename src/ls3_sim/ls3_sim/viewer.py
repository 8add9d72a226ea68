"""Windows that show a scene or its pictures, if there is a display."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ls3_common.errors import UserError


class MujocoScene(Protocol):
    """A scene with MuJoCo's model and data."""

    model: Any
    data: Any


class Window(Protocol):
    """A window that shows the simulation."""

    def sync(self) -> None:
        """Show the present state."""

    def close(self) -> None:
        """Close the window."""


def need_display() -> None:
    """Return if there is a display.

    Raises:
        UserError: there is no display.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise UserError(
            "render_mode='human' needs a display, but there is none",
            do="use render_mode='rgb_array', or set DISPLAY",
        )


class Viewer:
    """MuJoCo's passive viewer in a window.

    Raises:
        UserError: there is no display.
    """

    def __init__(self, scene: MujocoScene) -> None:
        """Open the window."""
        need_display()
        viewer = importlib.import_module("mujoco.viewer")  # loads glfw, which needs the display
        self._viewer = viewer.launch_passive(scene.model, scene.data)

    def sync(self) -> None:
        """Show the present state of the scene."""
        self._viewer.sync()

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()


class ImageViewer:
    """A window that shows the picture that `draw` returns, uint8 (height, width, 3).

    After a person has closed the window, the simulation goes on without it.

    Raises:
        UserError: there is no display, or the display provides no window.
    """

    def __init__(self, title: str, draw: Callable[[], NDArray[np.uint8]]) -> None:
        """Open the window in the size of the first picture."""
        need_display()
        self._draw = draw
        height, width, _ = draw().shape
        # both modules are installed with MuJoCo, and imported only where a window is wanted
        self._glfw: Any = importlib.import_module("glfw")
        self._gl: Any = importlib.import_module("OpenGL.GL")
        if not self._glfw.init():
            raise UserError("glfw finds no usable display", do="use render_mode='rgb_array'")
        self._glfw.window_hint(self._glfw.RESIZABLE, False)
        self._window = self._glfw.create_window(width, height, title, None, None)
        if not self._window:
            raise UserError("the display provides no window", do="use render_mode='rgb_array'")

    def sync(self) -> None:
        """Show a new picture, enlarged on displays that have more pixels than points."""
        if self._window is None:
            return
        glfw, gl, picture = self._glfw, self._gl, self._draw()
        glfw.make_context_current(self._window)
        rows = np.ascontiguousarray(picture[::-1])  # OpenGL counts rows from the bottom
        width, height = glfw.get_framebuffer_size(self._window)
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        gl.glPixelZoom(width / rows.shape[1], height / rows.shape[0])
        gl.glRasterPos2f(-1, -1)
        gl.glDrawPixels(rows.shape[1], rows.shape[0], gl.GL_RGB, gl.GL_UNSIGNED_BYTE, rows)
        glfw.swap_buffers(self._window)
        glfw.poll_events()
        if glfw.window_should_close(self._window):
            self.close()

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self._window is not None:
            self._glfw.destroy_window(self._window)
            self._window = None
