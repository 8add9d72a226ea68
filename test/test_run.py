"""tools/run.py: only a fresh and complete summary counts as a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminal_signals import as_in_a_terminal

ROOT = Path(__file__).parents[1]
SUMMARY = {
    "episodes": 2,
    "successes": 2,
    "violations": 0,
    "mean_steps": 11.5,
    "demonstrator_mean_steps": 17.0,
    "plan_ms_median": 300.0,
    "frame_to_command_ms_p99": 420.0,
}


def fake_ros2(folder: Path, body: str) -> dict[str, str]:
    """An environment in which `ros2` is the given shell script."""
    path = folder / "bin" / "ros2"
    path.parent.mkdir()
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return os.environ | {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "tools/run.py"), "--episodes", "2", *arguments]


def run(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--out", str(folder / "out"), *arguments),
        env=fake_ros2(folder, body),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def writing(folder: Path, text: str) -> str:
    out = folder / "out"
    out.mkdir()
    (folder / "text").write_text(text)
    return f"cp {folder}/text {out}/summary.json"


def test_episodes_that_ran(tmp_path: Path) -> None:
    body = f'echo "$@"; {writing(tmp_path, json.dumps(SUMMARY))}'
    result = run(tmp_path, body, "profile:=paper")
    assert result.returncode == 0, result.stderr
    asked = f"episodes:=2 out:={tmp_path}/out profile:=paper"
    assert f"launch ls3_planner cable_routing.launch.py {asked}" in result.stdout


def test_mean_steps_without_a_success(tmp_path: Path) -> None:
    summary = SUMMARY | {"successes": 0, "mean_steps": None}
    result = run(tmp_path, writing(tmp_path, json.dumps(summary)))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not JSON"),
        ('{"episodes": 2', "is not JSON"),
        ("[]", "holds no summary"),
        (json.dumps(SUMMARY | {"episodes": 1}), "counts 1 of 2 episodes"),
        (json.dumps(SUMMARY | {"mean_steps": None}), "'mean_steps' is None"),
        (json.dumps(SUMMARY | {"plan_ms_median": float("nan")}), "'plan_ms_median' is nan"),
        (json.dumps({k: v for k, v in SUMMARY.items() if k != "violations"}), "lacks 'violations'"),
    ],
)
def test_incomplete_summary(tmp_path: Path, text: str, expected: str) -> None:
    result = run(tmp_path, writing(tmp_path, text))
    assert result.returncode == 1
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


def test_no_summary(tmp_path: Path) -> None:
    result = run(tmp_path, "true")
    assert result.returncode == 1
    assert "was not written" in result.stderr


def test_summary_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    old = tmp_path / "out" / "summary.json"
    old.write_text(json.dumps(SUMMARY))
    os.utime(old, (time.time() - 60, time.time() - 60))
    result = run(tmp_path, "true")
    assert result.returncode == 1
    assert "of an earlier run" in result.stderr


def test_launch_that_fails(tmp_path: Path) -> None:
    result = run(tmp_path, f"{writing(tmp_path, json.dumps(SUMMARY))}; exit 3")
    assert result.returncode == 3
    assert "ended with 3" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_interrupts_the_launch_once(tmp_path: Path, number: signal.Signals) -> None:
    body = "trap 'echo stopping; exit 0' INT; echo up; while true; do sleep 0.1; done"
    with subprocess.Popen(
        command("--out", str(tmp_path / "out")),
        env=fake_ros2(tmp_path, body),
        preexec_fn=as_in_a_terminal,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("+ ros2 launch")
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.read() == "stopping\n"
        assert process.wait(timeout=10) == 128 + number
