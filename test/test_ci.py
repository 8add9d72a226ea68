"""`.ci/run`: what the environment of the tests is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What the `env` of a recipe shows besides what .ci/run sets: make's own, the shell's own.
OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MAKE_TERMOUT", "MAKE_TERMERR", "MFLAGS", "PWD", "SHLVL", "_"}


def seen(folder: Path, **callers: str) -> dict[str, str]:
    """The variables that `make test` sees when .ci/run calls it."""
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "Makefile").write_text("test:\n\t@test -d $$HOME\n\t@env\n")
    result = subprocess.run(
        [folder / ".ci" / "run"], env=callers, capture_output=True, text=True, check=True
    )
    shown = dict(line.split("=", 1) for line in result.stdout.splitlines())
    return {name: value for name, value in shown.items() if name not in OF_MAKE}


def test_nothing_of_the_caller_is_seen(tmp_path: Path) -> None:
    variables = seen(
        tmp_path, **{**os.environ, "ROS_DISTRO": "jazzy", "PYTHONPATH": "/", "TOKEN": "x"}
    )
    assert variables["PATH"] == "/usr/bin:/bin:/usr/sbin:/sbin"
    assert variables["CI"] == "true"
    own = {"PATH", "CI", "HOME", "LANG"}
    assert [v for v in variables if v not in own and not v.startswith("PIP_")] == []
    assert variables["HOME"] != os.environ["HOME"]
    assert not Path(variables["HOME"]).exists()  # by now


def test_downloads_of_the_caller_are_used_again(tmp_path: Path) -> None:
    callers = {"PATH": "/usr/bin:/bin", "HOME": "/people/me"}
    assert seen(tmp_path / "a", **callers)["PIP_CACHE_DIR"] == "/people/me/.cache/pip"
    callers["XDG_CACHE_HOME"] = "/cache"
    assert seen(tmp_path / "b", **callers)["PIP_CACHE_DIR"] == "/cache/pip"
    callers["PIP_CACHE_DIR"] = "/chosen"
    assert seen(tmp_path / "c", **callers)["PIP_CACHE_DIR"] == "/chosen"


def test_way_to_the_index_is_kept(tmp_path: Path) -> None:
    way = {"PIP_INDEX_URL": "https://index.invalid/simple", "https_proxy": "http://proxy.invalid"}
    variables = seen(tmp_path, PATH="/usr/bin:/bin", HOME="/people/me", **way)
    assert {name: variables[name] for name in way} == way
