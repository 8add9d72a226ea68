"""`declare` and `run` in real processes: parameter files, mistakes, and how a node ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal_signals import as_in_a_terminal

NODE = """
import atexit, ctypes, dataclasses, os, sys, time
import rclpy
from rclpy.node import Node
from std_msgs.msg import String
from ls3_common import ending, qos, ros
from ls3_common.errors import UserError
from ls3_common.parameters import parameter

@dataclasses.dataclass(frozen=True)
class Inner:
    depth: int = parameter(2, low=0, description="nested")

@dataclasses.dataclass(frozen=True)
class Config:
    horizon: int = parameter(5, low=1, high=9, description="steps ahead", domain="horizon")
    speed: float = parameter(
        0.5, low=0.0, description="speed", unit="m/s", domain="largest_action", may_be_less=True
    )
    profile: str = parameter("paper", choices=("paper", "realtime"), description="cost")
    box: tuple[float, ...] = parameter((-1.0, 1.0), description="bounds", unit="m")
    inner: Inner = dataclasses.field(default_factory=Inner)

class Probe(Node):
    def __init__(self):
        super().__init__("probe")
        self.config = ros.declare(self, Config)
        self.said = self.create_publisher(String, "said", qos.LATCHED)
        self.create_timer(0.05, self.tick)
        self.ticks = 0

    def tick(self):
        if self.ticks == 0:
            print("up", self.config, self.get_parameter("box").value, flush=True)
        self.ticks += 1
        if os.environ.get("MISTAKE") == "callback":
            raise UserError("the cable is gone", do="look under the table")
        if os.environ.get("MISTAKE") == "disk":
            raise OSError(28, "No space left on device", "/data/lab.h5")
        if os.environ.get("MISTAKE") == "defect":
            raise ZeroDivisionError("a defect")
        if os.environ.get("MISTAKE") == "exit":
            raise SystemExit(7)

    def close(self):
        self.said.publish(String(data="hold"))  # the context still works
        time.sleep(float(os.environ.get("CLOSING_S", "0")))
        if "CLOSED" in os.environ:
            open(os.environ["CLOSED"], "w").close()
        print("closed", flush=True)

def loop(*_):
    ctypes.PyDLL(None).sleep(60)  # as C++ that never returns: Python runs no handler meanwhile

where = os.environ.get("LOOPS_IN", "")
ending.DEADLINE_S = 1.0 if where else ending.DEADLINE_S
if where == "destroy_node":
    Probe.destroy_node = loop
elif where == "shutdown":
    rclpy.try_shutdown = loop
elif where == "exit":
    atexit.register(loop)
sys.exit(ros.run(Probe))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    script = tmp_path / "probe_node.py"
    script.write_text(textwrap.dedent(NODE))
    started: list[subprocess.Popen[str]] = []

    def begin(*ros_arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Options in capitals are variables of the environment, the others are of Popen."""
        environment = {name: value for name, value in options.items() if name.isupper()}
        process = subprocess.Popen(
            [sys.executable, str(script), "--ros-args", *ros_arguments],
            text=True,
            env=os.environ | environment,
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "preexec_fn": as_in_a_terminal,
                **{name: value for name, value in options.items() if name.islower()},
            },
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


def refused(process: subprocess.Popen[str]) -> str:
    """The error text of a process that must end with 2 and no traceback."""
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    return errors


FACTS = """
/**:
  ros__parameters:
    domain:
      environment: Mine-v0
      horizon: 7
      action_low: [-1, -2, -3]
      action_high: [1, 2, 3]
      action_unit: m
      image_size: 64
      channels: 1
      constraints: [edge]
"""


@pytest.mark.parametrize(("given", "speed"), [((), "3.0"), (("-p", "speed:=2.0"), "2.0")])
def test_facts_of_the_domain_reach_a_node(
    start: Start, tmp_path: Path, given: tuple[str, ...], speed: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FACTS)
    process = start("--params-file", str(path), *given)
    assert first_line(process).startswith(f"up Config(horizon=7, speed={speed},")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("horizon:=7", "'horizon' stands twice"),
        ("speed:=3.5", "'speed' is 3.5, more than the domain's largest_action, 3"),
        ("domain.horizon:=10", "'horizon' is 10, outside [1, 9]"),
        ("domain.horizn:=7", "unknown key 'horizn'"),
    ],
)
def test_a_fact_that_is_repeated_or_cannot_be_is_named(
    start: Start, tmp_path: Path, given: str, text: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FACTS)
    assert text in refused(start("--params-file", str(path), "-p", given))


@pytest.mark.parametrize(
    "number",
    [
        *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
        *(signal.SIGUSR1, signal.SIGALRM, signal.SIGABRT, signal.SIGRTMAX),
    ],
)
def test_signal_closes_the_node_and_ends_with_0(start: Start, number: signal.Signals) -> None:
    process = start()
    assert first_line(process).startswith("up")
    process.send_signal(number)
    output, errors = process.communicate(timeout=5)
    assert process.returncode == 0, errors
    assert output.endswith("closed\n")
    assert "Traceback" not in errors


def test_second_signal_does_not_interrupt_closing(start: Start) -> None:
    process = start(CLOSING_S="1")
    first_line(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.4)  # within close()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert output.endswith("closed\n")


def test_a_signal_that_the_caller_ignores_stays_ignored(start: Start) -> None:
    """As under nohup: the terminal may close, and the node goes on."""
    process = start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    first_line(process)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0].endswith("closed\n")


def test_a_node_whose_terminal_is_gone_closes(tmp_path: Path, start: Start) -> None:
    """The kernel sends SIGHUP, and nothing can be printed any more."""
    said = tmp_path / "closed"
    leader, follower = pty.openpty()
    process = start(
        stdin=follower,
        stdout=follower,
        stderr=follower,
        preexec_fn=lambda: (as_in_a_terminal(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        start_new_session=True,
        CLOSED=str(said),
    )
    os.close(follower)
    assert os.read(leader, 2).startswith(b"up")
    os.close(leader)
    process.wait(timeout=10)
    assert said.exists()


@pytest.mark.parametrize("where", ["destroy_node", "shutdown", "exit"])
def test_a_node_that_never_leaves_is_ended_by_the_kernel(start: Start, where: str) -> None:
    """Fast DDS can loop for ever in destroy_node; so can whatever comes after `close`."""
    process = start(LOOPS_IN=where)
    first_line(process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGALRM
    assert output.endswith("closed\n")


def test_user_error_in_a_callback_is_told_without_traceback(start: Start) -> None:
    process = start(MISTAKE="callback")
    errors = refused(process)
    assert "the cable is gone\n  -> look under the table" in errors


def test_a_full_disk_is_told_without_traceback(start: Start) -> None:
    errors = refused(start(MISTAKE="disk"))
    assert "/data/lab.h5: No space left on device\n  -> make room" in errors


def test_defect_in_a_callback_shows_its_traceback_and_still_closes(start: Start) -> None:
    process = start(MISTAKE="defect")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ZeroDivisionError: a defect" in errors
    assert output.endswith("closed\n")


def test_exit_code_asked_for_by_a_callback(start: Start) -> None:
    process = start(MISTAKE="exit")
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_parameter_file_overrides_defaults(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(
        "/**: {ros__parameters: {speed: 2}}\n"
        "/**/probe: {ros__parameters: {horizon: 3, box: [0, 1], inner: {depth: 4}}}\n"
    )
    line = first_line(start("--params-file", str(path), "-p", "profile:=realtime"))
    assert "horizon=3, speed=2.0, profile='realtime', box=(0.0, 1.0)" in line
    assert "Inner(depth=4)" in line
    assert line.endswith("[0.0, 1.0]\n")  # the ROS parameter has the declared type


def test_a_dump_of_a_node_that_lists_what_ros_declares_itself_is_taken(
    start: Start, tmp_path: Path
) -> None:
    """As `ros2 param dump` writes it: with a parameter of ROS, a clock, a quality of service, and
    one that only another distribution of ROS declares."""
    path = tmp_path / "dump.yaml"
    path.write_text(
        "/probe:\n  ros__parameters:\n    horizon: 3\n    use_sim_time: false\n"
        "    start_type_description_service: true\n"
        "    qos_overrides: {/parameter_events: {publisher: {depth: 1000}}}\n"
    )
    assert "horizon=3" in first_line(start("--params-file", str(path)))
    path.write_text("/probe: {ros__parameters: {start_type_description_servise: true}}")
    errors = refused(start("--params-file", str(path)))
    assert "unknown key 'start_type_description_servise'" in errors


def test_empty_list(start: Start) -> None:
    assert "box=()" in first_line(start("-p", "box:=[]"))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("horizn:=3", r"/probe: unknown key 'horizn'\n  -> did you mean 'horizon'\?"),
        ("inner.dept:=3", r"unknown key 'inner.dept'\n  -> did you mean 'inner.depth'\?"),
        ("horizon:=10", r"'horizon' is 10, outside \[1, 9\]\n  -> steps ahead"),
        ("horizon:=2.5", r"'horizon' must be an integer, not 2.5"),
        ("horizon:=[]", r"'horizon' must be an integer"),
        ("speed:=.nan", r"'speed' is nan\n  -> give a finite number"),
        ("speed:=fast", r"'speed' must be a number, not 'fast'\n  -> speed \[m/s\]"),
        ("profile:=quick", r"'profile' is 'quick'\n  -> valid values: paper, realtime"),
        ("box:=3", r"'box' must be a list of float, not 3"),
    ],
)
def test_parameter_mistake_is_named(start: Start, override: str, expected: str) -> None:
    errors = refused(start("-p", override))
    assert re.search(expected, errors), errors


def test_arguments_that_ros_refuses(start: Start, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.yaml"
    mixed.write_text("/**/probe: {ros__parameters: {box: [0, 0.5]}}")
    for arguments in (
        ["--params-file", "/no/such.yaml"],
        ["--params-file", str(mixed)],
        ["--nope"],
    ):
        errors = refused(start(*arguments))
        assert "probe_node.py: ROS refuses the arguments" in errors
        assert arguments[-1] in errors


def test_node_dies_with_its_launch(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "probe_node.py"
    launcher = tmp_path / "launcher.py"
    launcher.write_text(
        "import os, subprocess, sys\n"
        "os.environ['LS3_LAUNCH_PID'] = str(os.getpid())\n"
        f"child = subprocess.Popen([sys.executable, {str(script)!r}])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(launcher)],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert parent.stdout.readline().startswith("up")
        parent.kill()
        # the pipe ends when the node, its last writer, has ended
        assert parent.stdout.read().endswith("closed\n")


def test_node_whose_launch_has_died_already_does_not_start(start: Start) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as launch:
        launch.wait()
    node = start(LS3_LAUNCH_PID=str(launch.pid))
    out, _ = node.communicate(timeout=60)
    assert node.returncode == 128 + signal.SIGTERM
    assert out == ""
