"""A person with a gamepad drives the simulated arm, it is recorded, and the bag is imported."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls3.cli.commands import run
from ls3_models.episodes import list_episodes, read_episode

START, STOP, SUCCESS, DISCARD, DEAD_MAN = 7, 6, 0, 2, 5  # joy's buttons of an Xbox controller
STEP = 0.008  # m
PATIENT = {  # a busy computer hurts no simulation
    "limits__max_image_age": 30.0,
    "limits__max_state_age": 5.0,
    "limits__max_clock_skew": 1.0,
    "limits__max_silence": 20.0,
    "limits__latch_timeouts": False,
    "motion_timeout": 10.0,
}


class Gamepad:
    """Publishes sensor_msgs/Joy 20 times a second, as joy_node does."""

    def __init__(self, bench: Any) -> None:
        from sensor_msgs.msg import Joy

        self._bench, self._joy = bench, Joy
        self._axes, self._buttons = [0.0] * 6, [0] * 11
        self._out = bench.publisher(Joy, "joy")
        self.sent = 0
        bench.node.create_timer(0.05, self._publish)

    def _publish(self) -> None:
        message = self._joy(axes=self._axes, buttons=self._buttons)
        message.header.stamp = self._bench.stamp()
        self._out.publish(message)
        self.sent += 1

    def push(self, right: float, up: float) -> None:
        """Deflect the stick with the dead-man button held, or let go of both."""
        self._axes = [-right, up, 0.0, 0.0, 0.0, 0.0]
        held = (right, up) != (0.0, 0.0)
        self._buttons = [int(held and index == DEAD_MAN) for index in range(11)]

    def press(self, button: int) -> None:
        """Down and up again, each long enough to be sent."""
        for down in (1, 0):
            self._buttons = [down * (index == button) for index in range(11)]
            sent = self.sent
            self._bench.until(lambda sent=sent: self.sent > sent + 2)


class Session:
    """What a person at the gamepad sees of the arm."""

    def __init__(self, bench: Any) -> None:
        from std_msgs.msg import String

        from ls3_common import qos
        from ls3_interfaces.msg import ArmCommand, MotionState

        self.until = bench.until
        self.marks = bench.collect(String, "episode_mark")
        self.commands = bench.collect(ArmCommand, "arm_command")
        self.states = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self.pad = Gamepad(bench)

    def mark(self, button: int, *words: str) -> None:
        before = len(self.marks)
        self.pad.press(button)
        self.until(lambda: [m.data for m in self.marks[before:]] == list(words))

    def drive(self, right: float, up: float, steps: int) -> None:
        """Hold the stick until the arm has taken these steps, then let go."""
        moved = len(self.moves())
        self.pad.push(right, up)
        self.until(lambda: len(self.moves()) >= moved + steps)
        self.pad.push(0.0, 0.0)

    def moves(self) -> list[Any]:
        return [command for command in self.commands if command.outcome in ("sent", "clamped")]


@pytest.mark.timeout(240)
def test_what_a_gamepad_drives_is_recorded_and_imported(
    bench: Any, child_of: Callable[..., Any], tmp_path: Path
) -> None:
    bag, out = tmp_path / "session", tmp_path / "data"
    bench.start("ls3_sim.sim_node")
    bench.start("dvrk_cable_env.arm.arm_node", use_sim_time=True, auto_enable=True, **PATIENT)
    launch = child_of(
        [
            *("ros2", "launch", "dvrk_cable_env", "record.launch.py"),
            *(f"out:={bag}", "teleop:=joy", f"config:={_config(tmp_path)}"),
            *("camera_rate:=0.5", "state_rate:=5.0"),
        ],
        bench.domain,
    )
    try:
        session = Session(bench)
        bench.until(lambda: session.states and session.states[-1].ready)
        bench.until(lambda: "Subscribed to topic '/camera/image_raw'" in launch.output)
        bench.until(lambda: "Subscribed to topic '/arm_command'" in launch.output)
        bench.until(lambda: bench.node.count_publishers("plan"))
        time.sleep(1.0)  # teleop_node sees the stick released
        session.drive(0.0, 1.0, steps=2)  # outside any episode
        session.mark(START, "start")
        session.drive(1.0, 0.5, steps=3)
        session.drive(-0.5, 1.0, steps=2)
        session.mark(SUCCESS, "success")
        session.mark(STOP, "stop")
        session.mark(START, "start")
        session.drive(-1.0, 0.0, steps=1)
        session.mark(DISCARD, "discard", "stop")
        report = "no episode runs, last mark 'stop': camera/image_raw "
        bench.until(lambda: report in launch.output)  # and no word of warnings in it
    finally:
        launch.interrupt(signal.SIGINT)
        launch.wait(30)
        print(launch.output)
    assert run(["data", "import", str(bag), "--out", str(out)]) == 0
    paths = list_episodes(out)
    assert len(paths) == 1, "the second was discarded"
    episode = read_episode(paths[0])
    driven = [command for command in session.moves() if command.episode == 1]
    assert [command.step for command in driven] == list(range(len(driven)))
    assert len(driven) >= 5
    assert episode.actions.shape == (len(driven), 2)
    assert np.array_equal(episode.actions, np.array([c.sent for c in driven], np.float32))
    assert episode.observations.shape[0] == len(driven) + 1
    assert episode.source == "demonstration"
    assert episode.success[-1]
    assert not episode.success[0]
    assert np.abs(episode.actions).max() <= STEP + 1e-6, "the step limit of the operator's file"
    assert episode.actions[0] == pytest.approx([STEP, STEP / 2], abs=1e-6)


def _config(folder: Path) -> Path:
    path = folder / "robot.yaml"
    path.write_text(f"/**/teleop_node:\n  ros__parameters:\n    max_step: {STEP}\n")
    return path
