"""tools/env.sh and tools/fix_ros_wheels.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import fix_ros_wheels  # noqa: E402

BARE = {"HOME": "/", "PATH": "/usr/bin:/bin"}


def sourced(script: str, shell: str = "bash", **environment: str) -> str:
    result = subprocess.run(
        [shell, "-c", script],
        env=BARE | environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_workspace_is_found_from_anywhere_and_in_a_strict_shell() -> None:
    script = f"set -euo pipefail; source {ROOT}/tools/env.sh; echo $VIRTUAL_ENV; echo $MUJOCO_GL $-"
    venv, options = sourced(script).splitlines()
    assert Path(venv) == ROOT / ".venv"
    assert options.startswith("egl ")
    assert "u" in options.split()[1]


def test_sourcing_twice_changes_nothing() -> None:
    once = sourced(f"source {ROOT}/tools/env.sh; env | sort")
    twice = sourced(f"source {ROOT}/tools/env.sh; source {ROOT}/tools/env.sh; env | sort")
    assert once == twice
    assert "_ls3" not in once


def test_a_choice_of_the_user_is_kept() -> None:
    assert sourced(f"source {ROOT}/tools/env.sh; echo $MUJOCO_GL", MUJOCO_GL="glfw") == "glfw\n"


@pytest.mark.parametrize("ros_distro", ["", "jazzy"])
def test_wheels_are_an_installation_only_where_there_is_none(ros_distro: str) -> None:
    script = (
        f"source {ROOT}/tools/env.sh; "
        "echo $AMENT_PREFIX_PATH; echo $LD_LIBRARY_PATH; echo ${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}"
    )
    ament, libraries, complete = sourced(script, ROS_DISTRO=ros_distro).splitlines()
    venv = str(ROOT / ".venv")
    assert (venv in ament.split(":")) == (not ros_distro)
    assert (f"{venv}/lib" in libraries.split(":")) == (not ros_distro)
    assert complete == ("" if ros_distro else "1")
    assert any(path.startswith(f"{ROOT}/install/") for path in ament.split(":"))


def test_tools_of_the_workspace_come_first() -> None:
    script = f"source {ROOT}/tools/env.sh; command -v python; command -v ls3"
    python, ls3 = sourced(script).splitlines()
    assert Path(python) == ROOT / ".venv/bin/python"
    assert os.access(ls3, os.X_OK)


def test_exported_cmake_files_are_pointed_at_this_python(tmp_path: Path) -> None:
    path = tmp_path / "share/std_msgs/cmake/export.cmake"
    path.parent.mkdir(parents=True)
    path.write_text(
        'INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n'
        'OTHER "${_IMPORT_PREFIX}/include/std_msgs"\n'
    )
    assert fix_ros_wheels.repair(tmp_path, "/py/include", "/np/include") == [path]
    assert path.read_text() == (
        'INTERFACE_INCLUDE_DIRECTORIES "/py/include;/np/include"\n'
        'OTHER "${_IMPORT_PREFIX}/include/std_msgs"\n'
    )
    assert fix_ros_wheels.repair(tmp_path, "/py/include", "/np/include") == []
