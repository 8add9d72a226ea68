"""However a launch ends, nothing that it started stays."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

PACKAGE = "standin_nodes"

READY = [f"{name} is ready" for name in ("polite", "stubborn", "leaver")]


@pytest.fixture
def three(workspace: Any) -> Any:
    workspace.write(
        ",".join(
            f'Node(package="{PACKAGE}", executable="{name}", output="screen")'
            for name in ("polite", "stubborn", "leaver")
        )
    )
    return workspace


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 0), (signal.SIGTERM, 1), (signal.SIGKILL, -9)],
)
def test_signal_to_the_launch_ends_all(three: Any, number: signal.Signals, code: int) -> None:
    command = three.launch()
    command.wait_for(*READY)
    assert len(command.left()) == 6  # ros2, its guardian, three nodes and what one of them started
    assert command.send(number) < 5.0
    assert command.process.returncode == code
    if number != signal.SIGKILL:  # which leaves nobody to print it
        assert "[polite-1] stopped by SIGINT" in command.output
        assert "receiving 'SIGTERM', escalating to 'SIGKILL'" in command.output


def test_ctrl_c_in_a_terminal_reaches_a_node_once(workspace: Any) -> None:
    workspace.write(f'Node(package="{PACKAGE}", executable="polite", output="screen")')
    command = workspace.launch()
    command.wait_for("polite is ready")
    os.killpg(command.process.pid, signal.SIGINT)
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.end() == 0
    assert command.output.count("stopped by SIGINT") == 1


def test_timeouts_are_launch_arguments_as_in_the_real_launch(three: Any) -> None:
    command = three.launch("sigterm_timeout:=0.2", "sigkill_timeout:=0.1")
    command.wait_for(*READY)
    assert command.send(signal.SIGINT) < 2.0
    assert "failed to terminate '0.2' seconds after receiving 'SIGINT'" in command.output


def test_signal_while_starting(workspace: Any) -> None:
    workspace.write(",".join([f'Node(package="{PACKAGE}", executable="polite")'] * 8))
    command = workspace.launch()
    command.wait_for("process started with pid")
    assert command.send(signal.SIGINT) < 5.0


def test_run_becomes_the_executable(workspace: Any) -> None:
    command = workspace.ros2("run", PACKAGE, "polite", "--some", "word")
    command.wait_for("polite is ready --some word")
    command.send(signal.SIGTERM)
    assert command.process.returncode == 0
    assert "stopped by SIGTERM" in command.output
    assert workspace.ros2("run", PACKAGE, "fails").end() == 3
    for words, said in (
        (["nowhere", "x"], "package 'nowhere' not found"),
        (
            [PACKAGE, "x"],
            "executables there: answers, fails, leaver, listener, polite, stubborn, talker",
        ),
    ):
        command = workspace.ros2("run", *words)
        assert command.end() == 1
        assert said in command.output
