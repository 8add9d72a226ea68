"""The end of a process that made renderers, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.background

ENVIRONMENT = "import gymnasium\nenv = gymnasium.make('ls3_sim:LS3/{}-v0')\nenv.reset(seed=1)\n"


def at_exit(script: str) -> str:
    """Return what a script prints after the word 'end', on both outputs."""
    done = subprocess.run(
        [sys.executable, "-c", script + "print('end', flush=True)\n"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    before, end, after = done.stdout.partition("end\n")
    assert end, before
    assert done.returncode == 0, done.stdout
    return after


@pytest.mark.parametrize(
    ("value", "advice"),
    [("foo", "-> export MUJOCO_GL=egl, which"), ("glfw", "-> MUJOCO_GL=glfw needs a display")],
)
def test_where_mujoco_gl_is_wrong_no_package_is_to_be_installed(value: str, advice: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT.format("Reacher")],
        env=environment | {"MUJOCO_GL": value},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert f"cannot render with MUJOCO_GL={value}" in done.stderr
    assert advice in done.stderr and "apt-get" not in done.stderr


@pytest.mark.parametrize(
    "first",
    [
        "",
        "import tempfile\nfolder = tempfile.TemporaryDirectory()\n",
        "import torch\n",
        "import atexit\natexit.register(int)\nimport mujoco\n",
    ],
    ids=["nothing", "a finalizer of tempfile", "torch", "mujoco after another hook"],
)
def test_an_environment_that_is_not_closed_ends_in_silence(first: str) -> None:
    """`weakref.finalize` registers its exit hook once, at its first use in the process."""
    assert at_exit(first + ENVIRONMENT.format("Reacher")) == ""


def test_renderers_of_two_environments_one_of_them_closed_end_in_silence() -> None:
    """A second member of the class: a context that is made long after EGL's own exit hook."""
    two = ENVIRONMENT.format("Reacher") + "env.close()\n" + ENVIRONMENT.format("CableRouting")
    assert at_exit("import weakref\nweakref.finalize(lambda: 0, int)\n" + two) == ""


def test_a_renderer_that_nobody_releases_ends_in_silence() -> None:
    """A third member: a renderer without a Camera, whose own __del__ runs after EGL has ended."""
    assert (
        at_exit(
            "from ls3_sim.gl import mujoco, renderer\n"
            "kept = renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 32, 32)\n"
        )
        == ""
    )
