"""A window on a scene, where there is a display."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

from ls3_common.errors import UserError

if TYPE_CHECKING:
    from ls3_sim.cable_scene import CableScene


class Viewer:
    """MuJoCo's passive viewer.

    Raises:
        UserError: there is no display.
    """

    def __init__(self, scene: CableScene) -> None:
        if sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise UserError(
                "render_mode='human' needs a display, and there is none",
                do="use render_mode='rgb_array', or set DISPLAY",
            )
        viewer = importlib.import_module("mujoco.viewer")  # loads glfw, which needs the display
        self._viewer = viewer.launch_passive(scene.model, scene.data)

    def sync(self) -> None:
        self._viewer.sync()

    def close(self) -> None:
        self._viewer.close()
