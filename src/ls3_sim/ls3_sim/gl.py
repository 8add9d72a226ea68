"""The one place that imports MuJoCo, so that a missing OpenGL library is explained.

MuJoCo binds an OpenGL platform while it is imported, and fails there, in one of several unhelpful
ways, where that is missing. Physics needs none: it works, and only rendering raises.
"""

from __future__ import annotations

import os
from typing import Any

from ls3_common.errors import UserError

_platform = os.environ.setdefault("MUJOCO_GL", "egl")  # the one that needs no display
os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe's threads hang a forked child

_missing: Exception | None = None
try:
    import mujoco
except ModuleNotFoundError:
    raise
except Exception as failure:  # AttributeError, RuntimeError, ImportError, OSError: as it happens
    _missing = failure
    os.environ["MUJOCO_GL"] = "disable"
    import mujoco

    os.environ["MUJOCO_GL"] = _platform


def renderer(model: mujoco.MjModel, height: int, width: int) -> Any:
    """A `mujoco.Renderer`; it belongs to the thread that made it.

    Raises:
        UserError: this machine has no OpenGL to render with.
    """
    failure = _missing
    if failure is None:
        try:
            return mujoco.Renderer(model, height, width)
        except Exception as error:
            failure = error
    package = "libosmesa6" if _platform == "osmesa" else "libegl1 libgl1 libgl1-mesa-dri"
    raise UserError(
        f"cannot render with MUJOCO_GL={_platform} ({type(failure).__name__}: {failure})",
        where="MuJoCo",
        do=f"sudo apt-get install {package}   (MUJOCO_GL=egl needs no display)",
    ) from None


def release(made: Any) -> None:
    """Close a renderer in its own context.

    MuJoCo's `close` deletes its OpenGL objects in whichever context is current; where that is
    another renderer's, that one shows garbage from then on.
    """
    context = made._gl_context
    if context is not None:
        context.make_current()
    made.close()


__all__ = ["mujoco", "release", "renderer"]
