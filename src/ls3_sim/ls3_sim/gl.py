"""The one place that imports MuJoCo, in order to explain a missing OpenGL library.

MuJoCo loads OpenGL while it is imported, and without OpenGL the import fails with various unhelpful
errors. Physics needs no OpenGL: here the import then succeeds, and only rendering raises.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Sequence
from typing import Any

from ls3_common.errors import UserError

_platform = os.environ.setdefault("MUJOCO_GL", "egl")  # egl needs no display
os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe's threads hang a forked child

_missing: Exception | None = None
try:
    import mujoco
except ModuleNotFoundError:
    raise
except Exception as failure:  # AttributeError, RuntimeError, ImportError or OSError
    _missing = failure
    os.environ["MUJOCO_GL"] = "disable"
    import mujoco

    os.environ["MUJOCO_GL"] = _platform


_open: weakref.WeakSet[Any] = weakref.WeakSet()
"""The renderers that were made and not released."""


def renderer(model: mujoco.MjModel, height: int, width: int) -> Any:
    """Make a `mujoco.Renderer` for pictures of this size, px; use it in this thread only.

    A renderer that is not released before is released at the exit of the process.

    Raises:
        UserError: this machine has no OpenGL for rendering.
    """
    failure = _missing
    if failure is None:
        try:
            made = mujoco.Renderer(model, height, width)
        except Exception as error:
            failure = error
        else:
            # MuJoCo registers the end of EGL with its first context. Exit hooks run in the reverse
            # order, so that only a hook registered after that one still finds EGL.
            atexit.unregister(_release_all)
            atexit.register(_release_all)
            _open.add(made)
            return made
    raise UserError(
        f"cannot render with MUJOCO_GL={_platform} ({type(failure).__name__}: {failure})",
        where="MuJoCo",
        do=_advice(),
    ) from None


def _advice() -> str:
    """Return what a person can do where rendering fails, by the value of MUJOCO_GL."""
    packages = {"egl": "libegl1 libgl1 libgl1-mesa-dri", "osmesa": "libosmesa6"}.get(_platform)
    if packages:
        return f"sudo apt-get install {packages}   (MUJOCO_GL=egl needs no display)"
    if _platform in ("glfw", "glx"):
        return "MUJOCO_GL=glfw needs a display; export MUJOCO_GL=egl, which needs none"
    return "export MUJOCO_GL=egl, which needs no display; osmesa and glfw are the other values"


def place_geom(model: mujoco.MjModel, name: str, place: Sequence[float]) -> None:
    """Put a geom of the world body at `place` (x, y), m, from the next `mj_forward` on."""
    geom = model.geom(name)
    geom.pos[:2] = place
    model.geom_sameframe[geom.id] = 0  # else a geom compiled at the origin would stay there


def release(made: Any) -> None:
    """Close a renderer while its own OpenGL context is current.

    `mujoco.Renderer.close` deletes OpenGL objects in the current context. If that is another
    renderer's context, the other renderer draws garbage afterwards.
    """
    _open.discard(made)
    context = made._gl_context
    if context is not None:
        context.make_current()
    made.close()


def _release_all() -> None:
    for made in list(_open):
        release(made)


__all__ = ["mujoco", "place_geom", "release", "renderer"]
