"""tools/bootstrap.sh on machines that lack something, made of fake commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BORROWED = ("bash", "cat", "dirname", "env", "flock", "nproc", "sha256sum")
PYTHON = sys._base_executable  # type: ignore[attr-defined]  # the one .venv was made from


class Machine:
    """A folder that is the whole PATH; what is not put there does not exist."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.bin.mkdir()
        self.log.touch()
        for name in BORROWED:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        self.command("python3", f'exec {PYTHON} "$@"')
        for name in ("gcc", "g++", "make", "cmake"):
            self.command(name, "true")
        self.command("id", "echo 1000")
        self.command("sudo", "exit 1")
        self.command("dpkg-query", "printf installed")

    def command(self, name: str, body: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)

    def remove(self, name: str) -> None:
        (self.bin / name).unlink()

    def apt(self, makes: str = "") -> None:
        """An apt-get that logs its call and, on install, makes a command."""
        make = f'printf "#!/bin/sh\\n" > {self.bin}/{makes}; chmod +x {self.bin}/{makes}'
        self.command(
            "apt-get",
            f'echo "$@" >> {self.log}; case $1 in install) {make if makes else "true"};; esac',
        )
        (self.bin / "chmod").symlink_to(str(shutil.which("chmod")))

    def bootstrap(
        self, step: str = "prerequisites", workspace: Path = ROOT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(workspace / "tools/bootstrap.sh"), step],
            env={"PATH": str(self.bin), "HOME": "/"} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_complete_machine(machine: Machine) -> None:
    result = machine.bootstrap()
    assert result.returncode == 0, result.stderr
    assert result.stdout == result.stderr == ""


@pytest.mark.parametrize("name", ["my robot", "a:b", "tab\there"])
def test_a_path_that_no_build_takes_is_refused_at_once(
    machine: Machine, tmp_path: Path, name: str
) -> None:
    tools = tmp_path / name / "tools"
    tools.mkdir(parents=True)
    shutil.copy(ROOT / "tools/bootstrap.sh", tools)
    machine.remove("python3")  # nothing else is looked at before
    result = machine.bootstrap(workspace=tmp_path / name)
    assert result.returncode == 2
    assert f"{tmp_path / name}" in result.stderr
    assert "-> move the folder" in result.stderr


def test_user_is_told_the_command(machine: Machine) -> None:
    machine.remove("cmake")
    machine.remove("g++")
    machine.command("dpkg-query", '[ "$4" = libegl1 ] || printf installed')
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "system packages are missing: g++ cmake libegl1" in result.stderr
    assert (
        "sudo apt-get update && "
        "sudo apt-get install -y --no-install-recommends g++ cmake libegl1\n" in result.stderr
    )


def test_removed_package_is_missing(machine: Machine) -> None:
    """dpkg knows it, but only its configuration is left."""
    machine.command("dpkg-query", "printf config-files")
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "missing: libegl1 libgl1 libgl1-mesa-dri" in result.stderr


@pytest.mark.parametrize("how", ["root", "sudo"])
def test_packages_are_installed_where_allowed(machine: Machine, how: str) -> None:
    machine.remove("cmake")
    machine.apt(makes="cmake")
    if how == "root":
        machine.command("id", "echo 0")
    else:
        machine.command("sudo", '[ "$1" = -n ] && shift && "$@"')
    result = machine.bootstrap()
    assert result.returncode == 0, result.stderr
    assert machine.log.read_text().splitlines() == [
        "update -qq",
        "install -y --no-install-recommends cmake",
    ]


def test_apt_that_fails(machine: Machine) -> None:
    machine.remove("cmake")
    machine.command("id", "echo 0")
    machine.command("apt-get", "exit 100")
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "apt-get could not install: cmake" in result.stderr


def test_apt_that_does_not_help(machine: Machine) -> None:
    machine.remove("cmake")
    machine.command("id", "echo 0")
    machine.apt()
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "still missing after apt-get: cmake" in result.stderr


def test_python_without_venv_and_headers(machine: Machine) -> None:
    """As Debian's python3 is before python3-venv and python3-dev."""
    machine.command(
        "python3",
        'case "$*" in *_base_executable*) echo "$0"; exit;; *ensurepip*|*Python.h*) exit 1;; esac\n'
        f'exec {PYTHON} "$@"',
    )
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "missing: python3-venv python3-dev\n" in result.stderr


def test_no_python_that_fits(machine: Machine) -> None:
    machine.command("python3", "exit 1")
    result = machine.bootstrap()
    assert result.returncode == 2
    assert "python3 is not a Python 3.10, 3.11 or 3.12" in result.stderr


def test_python_that_was_asked_for_and_does_not_fit(machine: Machine) -> None:
    result = machine.bootstrap(PYTHON="python2")
    assert result.returncode == 2
    assert "error: python2 is not a Python 3.10" in result.stderr


def test_second_name_of_python(machine: Machine) -> None:
    machine.command("python3", "exit 1")
    machine.command("python3.11", f'exec {PYTHON} "$@"')
    assert machine.bootstrap().returncode == 0


def test_sourced_ros_that_this_python_cannot_import(machine: Machine) -> None:
    result = machine.bootstrap(ROS_DISTRO="jazzy")
    assert result.returncode == 2
    assert "ROS 2 jazzy is sourced" in result.stderr
    assert "PYTHON=/usr/bin/python3" in result.stderr


def test_sourced_ros_without_tools(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").touch()
    result = machine.bootstrap(ROS_DISTRO="jazzy", PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    assert "missing: python3-colcon-common-extensions ros-jazzy-ros-base" in result.stderr


def test_not_debian(machine: Machine) -> None:
    machine.remove("dpkg-query")
    result = machine.bootstrap()
    assert result.returncode == 0
    assert "not Debian or Ubuntu" in result.stdout


def test_venv_gets_its_installer_first(machine: Machine, tmp_path: Path) -> None:
    """Pinned, before the pip of an old Python installs anything else."""
    for name in ("awk", "cp", "mkdir", "rm", "touch"):
        (machine.bin / name).symlink_to(str(shutil.which(name)))
    machine.command("pip_log", f'echo "$@" >> {machine.log}')
    machine.command(
        "python3",
        'case "$*" in *_base_executable*) echo "$0"; exit;; "-m venv"*) mkdir -p .venv/bin\n'
        f'cp {machine.bin}/pip_log .venv/bin/python; exit;; esac\nexec {PYTHON} "$@"',
    )
    workspace = tmp_path / "workspace"
    shutil.copytree(ROOT / "tools", workspace / "tools")
    shutil.copy(ROOT / "constraints.txt", workspace)
    result = machine.bootstrap("venv", workspace)
    assert result.returncode == 0, result.stderr
    pip = "-m pip install --disable-pip-version-check --progress-bar off -c constraints.txt"
    first, second, *_ = machine.log.read_text().splitlines()
    assert first == f"{pip} --quiet pip setuptools wheel"
    assert second.startswith(f"{pip} -r tools/requirements.txt")


def test_unknown_step() -> None:
    result = subprocess.run(
        ["bash", str(ROOT / "tools/bootstrap.sh"), "prerequisits"],
        env=os.environ | {"PYTHON": PYTHON},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "unknown step 'prerequisits'" in result.stderr
