"""The one place that imports MuJoCo, so that a missing OpenGL library is explained.

MuJoCo chooses its OpenGL platform while being imported; EGL is the one that needs no display.
"""

from __future__ import annotations

import os
from typing import Any

from ls3_common.errors import UserError

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe's threads hang a forked child


def explain(error: BaseException) -> UserError:
    """What to install, for whichever of MuJoCo's unhelpful errors this is."""
    platform = os.environ.get("MUJOCO_GL", "")
    package = "libosmesa6" if platform == "osmesa" else "libegl1 libgl1 libgl1-mesa-dri"
    return UserError(
        f"no OpenGL for headless rendering with MUJOCO_GL={platform} "
        f"({type(error).__name__}: {error})",
        where="ls3_sim",
        do=f"sudo apt-get install {package}   (or unset MUJOCO_GL to use EGL)",
    )


try:
    import mujoco
except Exception as failure:  # which one it is depends on platform and version
    if isinstance(failure, ModuleNotFoundError) and failure.name == "mujoco":
        raise
    raise explain(failure) from None


def renderer(model: mujoco.MjModel, height: int, width: int) -> Any:
    """A `mujoco.Renderer`; it belongs to the thread that made it.

    Raises:
        UserError: this machine has no OpenGL to render with.
    """
    try:
        return mujoco.Renderer(model, height, width)
    except Exception as failure:
        raise explain(failure) from None


__all__ = ["explain", "mujoco", "renderer"]
