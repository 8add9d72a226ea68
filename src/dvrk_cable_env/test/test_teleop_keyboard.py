"""teleop_node in a terminal: keys move and mark, and the terminal is as it was afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rclpy.clock import Clock
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from ls3_common import qos
from ls3_interfaces.msg import MotionState, Plan

# as a shell starts a program: in a session whose terminal is its standard input
IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
NODE = ["-m", "dvrk_cable_env.teleop.teleop_node"]
FAULTY = """
from dvrk_cable_env.teleop import teleop_node
def fail(self, now):
    if self._keys.clutched:
        raise RuntimeError("a bug")
teleop_node.TeleopNode._drive = fail
teleop_node.main()
"""


class Window:
    """A terminal with a program in it."""

    def __init__(self, bench: Any, program: list[str]) -> None:
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.child = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, *program],
            stdin=self.slave,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=bench.environment(),
            start_new_session=True,
        )

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def echoes(self) -> bool:
        """As a shell's terminal does, and one from which single keys are read does not."""
        return bool(termios.tcgetattr(self.slave)[3] & (termios.ECHO | termios.ICANON))

    def close(self) -> None:
        self.child.terminate()  # killed, it would plan for others for some seconds more
        try:
            self.child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def window(bench: Any, request: pytest.FixtureRequest) -> Iterator[Window]:
    window = Window(bench, getattr(request, "param", NODE))
    yield window
    window.close()


class Robot:
    """Camera and arm_node as far as teleop_node looks at them, by the bench."""

    def __init__(self, bench: Any) -> None:
        from sensor_msgs.msg import Image

        self._bench, self._image = bench, Image
        self.plans = bench.collect(Plan, "plan")
        self.marks = bench.collect(String, "episode_mark")
        self._states = bench.node.create_publisher(MotionState, "motion_state", qos.LATCHED)
        self._frames = bench.node.create_publisher(Image, "camera/image_raw", qos.BEST_EFFORT)
        self._timer = bench.node.create_timer(0.03, self._shoot)
        state = MotionState(ready=True)
        state.header.stamp.sec = 1
        self._states.publish(state)

    def _shoot(self) -> None:
        frame = self._image(height=1, width=1, encoding="mono8", step=1, data=b"\0")
        frame.header.stamp = self._bench.node.get_clock().now().to_msg()
        self._frames.publish(frame)

    def leave(self) -> None:
        self._bench.destroy(self._timer, self._states)


@pytest.fixture
def robot(bench: Any) -> Iterator[Robot]:
    robot = Robot(bench)
    yield robot
    robot.leave()


@pytest.mark.parametrize("clutch", ["space bar", "gamepad"])
def test_a_clutch_holds_back_the_other_input_too(
    bench: Any, robot: Robot, window: Window, clutch: str
) -> None:
    bench.until(lambda: not window.echoes())
    bench.until(lambda: bench.node.count_publishers("plan") == 1)
    joy = bench.node.create_publisher(Joy, "joy", qos.RELIABLE)
    bench.matched(joy)
    stick = Joy(axes=[0.0, 0.0], buttons=[0] * 8)
    stick.buttons[4] = int(clutch == "gamepad")
    if clutch == "space bar":
        window.type(" ")
        time.sleep(0.3)

    def hold() -> None:
        stick.header.stamp = Clock().now().to_msg()
        joy.publish(stick)

    def press() -> list[Any]:
        if clutch == "gamepad":
            window.type("d")  # lapses, as a press does
        else:  # a stick counts once it was seen released
            stick.axes, stick.buttons[5] = [0.0, 0.0], 0
            time.sleep(0.2)
            stick.axes, stick.buttons[5] = [-1.0, 0.0], 1
        return robot.plans

    timer = bench.node.create_timer(0.03, hold)
    try:
        for _ in range(6):
            time.sleep(0.2)
            assert press() == []
        if clutch == "space bar":
            window.type(" ")
        stick.buttons[4] = 0
        bench.until(lambda: press() or time.sleep(0.2))
    finally:
        bench.destroy(timer, joy)


def test_one_key_one_step_and_marks(bench: Any, robot: Robot, window: Window) -> None:
    bench.until(lambda: not window.echoes())
    bench.until(lambda: bench.node.count_publishers("plan") == 1)
    assert robot.plans == []

    def typed() -> list[Any]:
        window.type("\x1b[A")  # the arrow up; lapses while frame and state are still unknown
        return robot.plans

    plan = bench.until(typed)[0]
    assert list(plan.action) == pytest.approx([0.0, 0.015])
    assert plan.feasible
    assert plan.header.stamp.sec > 0
    window.type("1")
    bench.until(lambda: [mark.data for mark in robot.marks] == ["start"], timeout=10.0)


@pytest.mark.parametrize("end", ["ctrl-c", "ctrl-z ctrl-\\ ctrl-c", "SIGTERM", "SIGINT"])
def test_the_terminal_is_put_back_at_the_end(bench: Any, window: Window, end: str) -> None:
    assert window.echoes()
    bench.until(lambda: not window.echoes())
    if end.startswith("SIG"):
        window.child.send_signal(signal.Signals[end])
    else:
        codes = {"ctrl-c": "\x03", "ctrl-z": "\x1a", "ctrl-\\": "\x1c"}
        window.type("".join(codes[word] for word in end.split()))
    assert window.child.wait(15) == 0
    assert termios.tcgetattr(window.slave) == window.before


@pytest.mark.parametrize("window", [["-c", FAULTY]], indirect=True)
def test_the_terminal_is_put_back_after_an_exception(bench: Any, window: Window) -> None:
    bench.until(lambda: not window.echoes())
    window.type(" ")
    _, errors = window.child.communicate(timeout=15)
    assert window.child.returncode != 0
    assert b"RuntimeError: a bug" in errors
    assert termios.tcgetattr(window.slave) == window.before


def test_without_a_terminal_there_are_no_keys(bench: Any, tmp_path: Path) -> None:
    typed = tmp_path / "typed"
    typed.write_text("1111")
    with typed.open() as stdin:
        child = subprocess.Popen(
            [sys.executable, *NODE], env=bench.environment(), stdin=stdin, stderr=subprocess.PIPE
        )
    assert child.stderr is not None
    for line in child.stderr:
        if b"no keys: standard input is not a terminal" in line:
            break
    else:
        pytest.fail("it did not say so")
    child.terminate()
    child.communicate(timeout=15)
    assert child.returncode == 0
