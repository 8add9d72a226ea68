"""Arguments of the launch files: what is refused before any process starts, and what paths mean."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from launch.actions import DeclareLaunchArgument
from random_models import random_bundle

from ls3_common.shared import find_shared
from ls3_launch.checks import FILES, FOLDERS, check_arguments
from ls3_models.bundle import save_bundle

pytestmark = pytest.mark.background

ARGUMENTS = [DeclareLaunchArgument(name) for name in (*FILES, *FOLDERS)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


def launched(folder: Path, *words: str) -> str:
    """The output of a `ros2 launch` that must end before it starts a process."""
    environment = os.environ | {"ROS_DOMAIN_ID": str(os.getpid() % 90 + 110)}
    result = subprocess.run(
        ["ros2", "launch", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "process started" not in output
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize("name", FOLDERS)
def test_a_tilde_is_the_home_directory(name: str, home: Path) -> None:
    given = {name: "~/x"}
    check_arguments(ARGUMENTS, given)
    assert given == {name: str(home / "x")}


@pytest.mark.parametrize("name", FILES)
def test_a_file_in_the_home_directory_is_found_or_named(name: str, home: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{name}:=~/x.yaml is not a file"):
        check_arguments(ARGUMENTS, {name: "~/x.yaml"})
    (home / "x.yaml").touch()
    given = {name: "~/x.yaml"}
    check_arguments(ARGUMENTS, given)
    assert given == {name: str(home / "x.yaml")}


def test_paths_of_this_directory_and_paths_that_are_left_out_stay_what_they_are() -> None:
    given = {"out": "out/x", "offline": "", "run": "/a~b"}
    check_arguments(ARGUMENTS, given)
    assert given == {"out": os.path.abspath("out/x"), "offline": "", "run": "/a~b"}


def test_the_home_directory_of_nobody_is_refused() -> None:
    with pytest.raises(RuntimeError, match="out:=~nobody-at-all/x: this home directory"):
        check_arguments(ARGUMENTS, {"out": "~nobody-at-all/x"})


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("cable_routing", "sim:=false", "config:=my_robto.yaml"), "config:=my_robto.yaml is not"),
        (("navigation", "config:=~/mine.yaml"), "config:=~/mine.yaml is not a file"),
        (("operator", "script:=~/s.json", "out:=o"), "script:=~/s.json is not a file"),
        (("cable_routing", "mode:=learn", "data:=~/nowhere"), "nowhere is not a directory"),
        (("cable_routing", "model:=~/nowhere"), "home/nowhere: no model here"),
    ],
)
def test_what_is_missing_is_named_before_any_process_starts(
    words: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    assert text in launched(tmp_path, "ls3_sim", f"{words[0]}.launch.py", *words[1:])
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("domain", "other"),
    [("cable_routing", "navigation"), ("pushing", "navigation"), ("navigation", "reacher")],
)
def test_a_model_of_another_domain_is_refused_before_any_process_starts(
    domain: str, other: str, tmp_path: Path
) -> None:
    model = find_shared(f"models/{other}")
    output = launched(tmp_path, "ls3_sim", f"{domain}.launch.py", f"model:={model}")
    assert f"this is a model of '{other}', not of '{domain}'" in output


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ({"observation_shape": (64, 64, 3)}, r"has observation_shape \(64, 64, 3\), the domain"),
        ({"action_high": (0.05, 0.05)}, r"has action_high \(0.05, 0.05\), the domain has"),
    ],
    ids=["images", "actions"],
)
def test_a_model_of_the_domain_s_name_with_other_sizes_is_refused_too(
    sizes: dict[str, tuple], text: str, tmp_path: Path
) -> None:
    save_bundle(random_bundle(**sizes), tmp_path / "model")
    output = launched(tmp_path, "ls3_planner", "cable_routing.launch.py", "model:=model")
    assert re.search(text, " ".join(output.split())), output
